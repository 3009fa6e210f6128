using System.Globalization;
using Elastic.Testing;

namespace Elastic.Bench.Mean;

/// <summary>
/// The benchmark's end of one node: a line to its standard input is a question, the next line of its standard output the answer.
/// </summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);
    private readonly ElasticProcess _process;

    private NodeProcess(string folder, int index, string settings, string certificates, double bytesPerSecond) =>
        _process = new ElasticProcess(
            new Launch(typeof(NodeProcess).Assembly.Location) { TakesInput = true },
            ["node", folder, index.ToString(CultureInfo.InvariantCulture), settings, certificates,
                bytesPerSecond.ToString(CultureInfo.InvariantCulture)]);

    /// <summary>Of its data plane.</summary>
    public string Endpoint { get; private set; } = "";

    /// <summary>Of its plain TCP server.</summary>
    public string StreamEndpoint { get; private set; } = "";

    /// <param name="certificates">Folder of the node's certificates; empty for none.</param>
    /// <param name="bytesPerSecond">Of its link; 0 for as many as there are.</param>
    public static async Task<NodeProcess> StartAsync(
        string folder, int index, string settings, string certificates, double bytesPerSecond)
    {
        var node = new NodeProcess(folder, index, settings, certificates, bytesPerSecond);
        var words = (await node.ReadAsync()).Split(' ');
        (node.Endpoint, node.StreamEndpoint) = (words[0], words[1]);
        return node;
    }

    /// <exception cref="InvalidOperationException">It failed, and why.</exception>
    public async Task<string> AskAsync(params IEnumerable<string> words)
    {
        await _process.WriteLineAsync(string.Join(' ', words));
        return await ReadAsync();
    }

    /// <summary>Seconds of the processor so far, in the program and in the kernel.</summary>
    public (double User, double Kernel) ProcessorSeconds()
    {
        var (user, kernel) = _process.ProcessorTime;
        return (user.TotalSeconds, kernel.TotalSeconds);
    }

    public async ValueTask DisposeAsync()
    {
        _process.CloseInput();                  // it ends by itself
        await _process.EndAsync(Deadline);
        _process.Dispose();
    }

    private async Task<string> ReadAsync()
    {
        var line = await _process.ReadLineAsync(Deadline);
        return line.StartsWith("failed: ", StringComparison.Ordinal) ? throw new InvalidOperationException(line) : line;
    }
}
