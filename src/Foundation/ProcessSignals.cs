using System.Runtime.InteropServices;

namespace Elastic.Foundation;

/// <summary>Signals that a process sends to itself, which .NET has no call for.</summary>
public static partial class ProcessSignals
{
    private const int SigStop = 19;                             // on Linux

    /// <summary>
    /// Stops this process until somebody lets it go on, as Ctrl-Z does: .NET does not stop a process that handles SIGTSTP itself.
    /// </summary>
    public static void Stop() => _ = Kill(Environment.ProcessId, SigStop);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
