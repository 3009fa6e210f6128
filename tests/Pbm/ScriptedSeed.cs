using System.Net;
using System.Net.Sockets;
using Elastic.Foundation;
using Elastic.Messages.Pbm;

namespace Elastic.Pbm.Tests;

/// <summary>Listens like a seed, and says what the test wants it to.</summary>
internal sealed class ScriptedSeed : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public ScriptedSeed() => _listener.Start();

    /// <summary>Where nobody listens, and nobody else's test will: the system gives no such port to whoever asks for any.</summary>
    public static Endpoint Nobody { get; } = new("127.0.0.1", 1);

    public Endpoint Address => new("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);

    /// <summary>Plays <paramref name="part"/> for the next client.</summary>
    public async Task PlayAsync(Func<NetworkStream, PbmStream, Task> part)
    {
        using var socket = await _listener.AcceptSocketAsync(TestDeadline.Token);
        var raw = new NetworkStream(socket);
        await using var stream = new PbmStream(raw);
        await part(raw, stream);
    }

    /// <summary>Greets, gives the catalogue and takes the call; then plays <paramref name="part"/>.</summary>
    public Task PlayCallAsync(
        Func<NetworkStream, PbmStream, PbmMessage.Call, Task> part, PaletteHelp[]? palettes = null) => PlayAsync(async (raw, stream) =>
    {
        await GreetAsync(stream, palettes);
        await part(raw, stream, Assert.IsType<PbmMessage.Call>(await stream.ReadAsync(TestDeadline.Token)));
    });

    /// <summary>Greets, and gives the catalogue.</summary>
    public static async Task GreetAsync(PbmStream stream, PaletteHelp[]? palettes = null)
    {
        Assert.IsType<PbmMessage.Hello>(await stream.ReadAsync(TestDeadline.Token));
        await stream.WriteAsync(new PbmMessage.Hello(PbmMessage.Protocol, "test"), TestDeadline.Token);
        Assert.IsType<PbmMessage.AskCatalogue>(await stream.ReadAsync(TestDeadline.Token));
        await stream.WriteAsync(new PbmMessage.Catalogue(palettes ?? Catalogues.Zoo), TestDeadline.Token);
    }

    public void Dispose() => _listener.Dispose();
}

/// <summary>No test waits longer than this.</summary>
internal static class TestDeadline
{
    public static CancellationToken Token => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;
}

/// <summary>Runs pbm in this process.</summary>
internal sealed class PbmRun(string input = "", bool isInteractive = false) : IDisposable
{
    private readonly SaidSoFar _output = new(), _error = new();

    public string Output => _output.Text;

    public string Error => _error.Text;

    public Interruption Interruption { get; } = new();

    public IKeyboard? Keyboard { get; init; }

    public TextReader Input { get; init; } = new StringReader(input);

    public PbmDeadlines Deadlines { get; init; } = PbmDeadlines.Default;

    public Transport Transport { get; init; } = Transport.Plain;

    public Task<int> RunAsync(params string[] words) => RunWithAsync(null, words);

    public Task<int> RunWithAsync(string? environment, params string[] words) => PbmCommandLine.RunAsync(
        words, environment, new PbmConsole(Input, _output.Writer, _error.Writer, isInteractive, Keyboard), Interruption, Deadlines,
        Transport);

    public void Dispose()
    {
        Interruption.Dispose();
        _output.Dispose();
        _error.Dispose();
    }

    // Read while pbm writes: a synchronized writer locks itself for each write.
    private sealed class SaidSoFar : IDisposable
    {
        private readonly StringWriter _said = new();

        public SaidSoFar() => Writer = TextWriter.Synchronized(_said);

        public TextWriter Writer { get; }

        public string Text
        {
            get
            {
                lock (Writer)
                    return _said.ToString();
            }
        }

        public void Dispose() => Writer.Dispose();
    }
}
