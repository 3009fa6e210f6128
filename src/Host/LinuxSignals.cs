using System.Runtime.InteropServices;

namespace Elastic.Host;

/// <summary>
/// Signals by their numbers on Linux: .NET has no name for some, and its names for others do not compile for all systems.
/// </summary>
internal static class LinuxSignals
{
    /// <summary>What a batch system sends before the time is up, e.g. SLURM with --signal=USR1@60.</summary>
    public const PosixSignal User1 = (PosixSignal)10;

    /// <summary>A stopped process goes on.</summary>
    public const PosixSignal Continue = (PosixSignal)18;

    /// <summary>Ctrl-Z.</summary>
    public const PosixSignal TerminalStop = (PosixSignal)20;

    /// <summary>The window has another size.</summary>
    public const PosixSignal WindowChange = (PosixSignal)28;
}
