using System.Runtime.InteropServices;

namespace Elastic.Testing;

/// <summary>Signals for processes. Not through /bin/kill, which small images lack.</summary>
internal static class Signals
{
    /// <param name="name">"TERM", "STOP" or "CONT".</param>
    public static void Send(int process, string name)
    {
        Requirement.Need(!OperatingSystem.IsWindows(), "needs signals, which Windows lacks: use Linux or macOS");
        var number = (name, OperatingSystem.IsMacOS()) switch
        {
            ("TERM", _) => 15,
            ("STOP", false) => 19,
            ("STOP", true) => 17,
            ("CONT", false) => 18,
            ("CONT", true) => 19,
            _ => throw new ArgumentException($"the signal {name} is not known here", nameof(name)),
        };
        if (Kill(process, number) != 0)
            throw new InvalidOperationException($"process {process} did not get SIG{name}: error {Marshal.GetLastPInvokeError()}");
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}
