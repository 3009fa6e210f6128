using System.Runtime.InteropServices;

namespace Elastic.Pbm;

/// <summary>
/// Ctrl-C and SIGTERM. While a command runs, the first signal ends the command and not pbm; the operating system handles any other one
/// and ends the process with 130.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly Lock _gate = new();                 // signals come on a thread of their own
    private CancellationTokenSource? _running;

    public Interruption()
    {
        foreach (var signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM })
            _signals.Add(PosixSignalRegistration.Create(signal, context => context.Cancel = TryCancel()));
    }

    /// <summary>Runs <paramref name="command"/> with a token that the next signal cancels.</summary>
    public async Task<int> RunAsync(Func<CancellationToken, Task<int>> command)
    {
        using var cancel = new CancellationTokenSource();
        lock (_gate)
            _running = cancel;
        try
        {
            return await command(cancel.Token);
        }
        finally
        {
            lock (_gate)
                _running = null;
        }
    }

    /// <summary>Cancels the running command; called by a signal.</summary>
    /// <returns>False where no command runs, or it is cancelled already.</returns>
    public bool TryCancel()
    {
        lock (_gate)
        {
            if (_running is null or { IsCancellationRequested: true })
                return false;
            _ = _running.CancelAsync();                  // the callbacks run on another thread, not under this lock
            return true;
        }
    }

    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
    }
}
