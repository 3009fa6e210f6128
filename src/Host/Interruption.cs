using System.Runtime.InteropServices;

namespace Elastic.Host;

/// <summary>
/// Ctrl-C and SIGTERM. The first signal asks for a stop at the next step boundary, where nothing is lost; the operating system handles the
/// second one and ends the process at once, which loses time but no data.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly List<PosixSignalRegistration> _signals = [];
    private int _count;

    private Interruption() { }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    public bool IsRequested => _source.IsCancellationRequested;

    /// <summary>Begins to listen; <paramref name="onFirst"/> tells the person what will happen.</summary>
    public static Interruption Listen(Action onFirst)
    {
        var interruption = new Interruption();
        foreach (var signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM })
            interruption._signals.Add(PosixSignalRegistration.Create(signal, context => interruption.Handle(context, onFirst)));
        return interruption;
    }

    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
        _source.Dispose();
    }

    private void Handle(PosixSignalContext context, Action onFirst)
    {
        context.Cancel = Interlocked.Increment(ref _count) == 1;
        if (context.Cancel)
        {
            onFirst();
            _source.Cancel();
        }
        else if (!Console.IsOutputRedirected)
        {
            Console.Out.Write("\e[?25h\n");      // a live display hides the cursor
        }
    }
}
