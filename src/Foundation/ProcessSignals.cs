using System.Runtime.InteropServices;

namespace Elastic.Foundation;

/// <summary>Signals that a process sends to itself, which .NET has no call for.</summary>
public static partial class ProcessSignals
{
    private const int SigPipe = 13, SigStop = 19;               // on Linux

    /// <summary>
    /// Stops this process until somebody lets it go on, as Ctrl-Z does: .NET does not stop a process that handles SIGTSTP itself.
    /// </summary>
    public static void Stop() => _ = Kill(Environment.ProcessId, SigStop);

    /// <summary>
    /// Ends this process as a program ends that writes into a pipe which nobody reads any more: shells say 141. .NET ignores the signal,
    /// for the sake of sockets.
    /// </summary>
    public static void EndByClosedPipe()
    {
        _ = Signal(SigPipe, 0);                                 // SIG_DFL: what the system does where a program says nothing
        _ = Kill(Environment.ProcessId, SigPipe);
        // The first process of a container is not ended by a signal that it does not handle.
        Environment.Exit(128 + SigPipe);
    }

    [LibraryImport("libc", EntryPoint = "signal", SetLastError = true)]
    private static partial nint Signal(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
