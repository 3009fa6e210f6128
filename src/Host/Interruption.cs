using System.Globalization;
using System.Runtime.InteropServices;

namespace Elastic.Host;

/// <summary>
/// The signals that ask a process to leave: Ctrl-C, SIGTERM, SIGHUP (the terminal or the connection to it was closed) and SIGUSR1 (what
/// SLURM's --signal sends before the time is up). The first one asks for a stop at the next step boundary, where nothing is lost. After a
/// Ctrl-C or SIGTERM the operating system handles a second one, and ends the process at once, which loses time but no data. SIGHUP and
/// SIGUSR1 only ever ask: a closed terminal sends SIGHUP twice.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private const int SigHupNumber = 1;

    private readonly CancellationTokenSource _source = new();
    private readonly List<PosixSignalRegistration> _signals = [];
    private CancellationTokenRegistration _asked;
    private int _count, _insisted;

    private Interruption() { }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    public bool IsRequested => _source.IsCancellationRequested;

    /// <summary>Begins to listen; <paramref name="onFirst"/> tells the person what will happen.</summary>
    /// <param name="asked">Asks as SIGTERM does, without a signal.</param>
    public static Interruption Listen(Action onFirst, CancellationToken asked = default)
    {
        var interruption = new Interruption();
        List<PosixSignal> signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, LinuxSignals.User1];
        // nohup starts programs with SIGHUP ignored: they are to outlive the terminal.
        if (!IsIgnored(SigHupNumber, ReadStatus()))
            signals.Add(PosixSignal.SIGHUP);
        foreach (var signal in signals)
            interruption._signals.Add(PosixSignalRegistration.Create(
                signal, context => context.Cancel = interruption.Handle(context.Signal, onFirst)));
        interruption._asked = asked.Register(() => interruption.Handle(PosixSignal.SIGTERM, onFirst));
        return interruption;
    }

    /// <summary>
    /// Runs what leaves nothing half-done where it is told to stop: without this, Ctrl-C ends the process at once, and what is temporary
    /// stays.
    /// </summary>
    /// <param name="says">What the person is told at the first signal.</param>
    /// <param name="work">Looks at the token often enough to stop within a second or two.</param>
    /// <param name="asked">Asks as SIGTERM does, without a signal.</param>
    public static async Task<int> RunAsync(
        TextWriter error, string says, Func<CancellationToken, Task<int>> work, CancellationToken asked)
    {
        using var interruption = Listen(() => error.WriteLine(says), asked);
        try
        {
            return await work(interruption.Token);
        }
        catch (OperationCanceledException) when (interruption.IsRequested)
        {
            return ExitCodes.Interrupted;
        }
    }

    /// <summary>Whether a signal is ignored, by the text of /proc/self/status: "SigIgn: 0000000000001001", a bit for each signal.</summary>
    public static bool IsIgnored(int signal, string status)
    {
        var line = status.Split('\n').FirstOrDefault(l => l.StartsWith("SigIgn:", StringComparison.Ordinal));
        return line is not null
            && ulong.TryParse(line["SigIgn:".Length..].Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var mask)
            && (mask >> (signal - 1) & 1) == 1;
    }

    public void Dispose()
    {
        _asked.Dispose();
        foreach (var signal in _signals)
            signal.Dispose();
        _source.Dispose();
    }

    /// <summary>Handles a signal.</summary>
    /// <returns>False where the operating system is to end the process.</returns>
    public bool Handle(PosixSignal signal, Action onFirst)
    {
        var insists = signal is PosixSignal.SIGINT or PosixSignal.SIGTERM;
        if (insists && Interlocked.Increment(ref _insisted) > 1)
            return false;
        if (Interlocked.Increment(ref _count) == 1)
        {
            onFirst();
            _source.Cancel();
        }

        return true;
    }

    private static string ReadStatus()
    {
        try
        {
            return File.ReadAllText("/proc/self/status");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
