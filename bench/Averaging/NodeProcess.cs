using System.Diagnostics;
using System.Globalization;

namespace Elastic.Bench.Mean;

/// <summary>The benchmark's end of one node: a line to its standard input is a question, the next line of its standard output the answer.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);
    private readonly Process _process;

    private NodeProcess(Process process) => _process = process;

    /// <summary>Of its data plane.</summary>
    public string Endpoint { get; private set; } = "";

    /// <summary>Of its plain TCP server.</summary>
    public string StreamEndpoint { get; private set; } = "";

    public static async Task<NodeProcess> StartAsync(string folder, int index, string settings)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(NodeProcess).Assembly.Location, "node", folder, index.ToString(CultureInfo.InvariantCulture), settings])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        var node = new NodeProcess(Process.Start(start)!);
        var words = (await node.ReadAsync()).Split(' ');
        (node.Endpoint, node.StreamEndpoint) = (words[0], words[1]);
        return node;
    }

    /// <exception cref="InvalidOperationException">It failed, and why.</exception>
    public async Task<string> AskAsync(params IEnumerable<string> words)
    {
        await _process.StandardInput.WriteLineAsync(string.Join(' ', words));
        await _process.StandardInput.FlushAsync();
        return await ReadAsync();
    }

    /// <summary>Seconds of the processor so far, in the program and in the kernel.</summary>
    public (double User, double Kernel) ProcessorSeconds()
    {
        _process.Refresh();
        return (_process.UserProcessorTime.TotalSeconds, _process.PrivilegedProcessorTime.TotalSeconds);
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();         // it ends by itself
        using var deadline = new CancellationTokenSource(Deadline);
        await _process.WaitForExitAsync(deadline.Token);
        _process.Dispose();
    }

    private async Task<string> ReadAsync()
    {
        var line = await _process.StandardOutput.ReadLineAsync().WaitAsync(Deadline);
        return line switch
        {
            null => throw new InvalidOperationException($"node process {_process.Id} ended"),
            _ when line.StartsWith("failed: ", StringComparison.Ordinal) => throw new InvalidOperationException(line),
            _ => line,
        };
    }
}
