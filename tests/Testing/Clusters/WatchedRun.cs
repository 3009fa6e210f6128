using System.Text;
using System.Text.Json;
using Elastic.Pbm;

namespace Elastic.Testing;

/// <summary>What <c>pbm run watch</c> shows of the scenario's run, from whichever seed there is at the moment.</summary>
public sealed class WatchedRun : IAsyncDisposable
{
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(200);
    private readonly Func<ClusterNode?> _seed;
    private readonly Func<ClusterNode, IEnumerable<string>> _options;
    private readonly CancellationTokenSource _ended = new();
    private readonly Lines _lines;
    private readonly Interruption _interruption = new();
    private readonly Task _watching;

    /// <param name="seed">That answers pbm; null while there is none.</param>
    /// <param name="options">Of pbm for that seed.</param>
    public WatchedRun(Func<ClusterNode?> seed, Func<ClusterNode, IEnumerable<string>> options)
    {
        (_seed, _options) = (seed, options);
        _lines = new Lines(line =>
        {
            // An error has no run in it.
            if (JsonDocument.Parse(line).RootElement is var seen && seen.TryGetProperty("round", out _))
                Latest = seen;
        });
        _watching = Task.Run(WatchAsync);
    }

    /// <summary>The newest line; null before the first.</summary>
    public JsonElement? Latest { get; private set; }

    public int Round => Latest?.GetProperty("round").GetInt32() ?? 0;

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        while (!_watching.IsCompleted)
        {
            _interruption.TryCancel();
            await Task.WhenAny(_watching, Task.Delay(Again));
        }

        _interruption.Dispose();
        _ended.Dispose();
    }

    private async Task WatchAsync()
    {
        while (!_ended.IsCancellationRequested)
        {
            if (_seed() is { } seed)
            {
                var watching = PbmCommandLine.RunAsync([.. _options(seed), "run", "watch", "--json"], seed.PbmEndpoint,
                    new PbmConsole(TextReader.Null, _lines, TextWriter.Null, IsInteractive: false), _interruption);
                // A watch waits for its seed to come back; where that is gone, the next one is watched.
                while (await Task.WhenAny(watching, Task.Delay(Again)) != watching)
                    if (_seed() != seed)
                        _interruption.TryCancel();
                await watching;
            }

            await Task.WhenAny(Task.Delay(Again, _ended.Token));
        }
    }

    private sealed class Lines(Action<string> show) : TextWriter
    {
        public override Encoding Encoding => Encoding.UTF8;

        public override void WriteLine(string? value) => show(value!);
    }
}
