using System.Diagnostics;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>A file system of a process's own and of a known size. Only the process sees it, so that nobody needs to be root.</summary>
internal static class SmallFileSystem
{
    private static readonly string[] Unshare = ["unshare", "--user", "--map-root-user", "--mount"];

    /// <summary>Starts with 64 MiB mounted at a folder. Where a user may not have mounts of his own, the test is skipped.</summary>
    public static Launch At(string folder, Launch launch)
    {
        Requirement.Need(OperatingSystem.IsLinux(), "needs a mount of a process's own: use Linux");
        Directory.CreateDirectory(folder);
        var mount = $"mount -t tmpfs -o size=64m none {folder}";
        Requirement.Need(Works([.. Unshare, "/bin/sh", "-c", mount]),
            "needs user namespaces in which a tmpfs can be mounted: run a container with --security-opt seccomp=unconfined, " +
            "a machine with sysctl kernel.unprivileged_userns_clone=1");
        return launch with { Wrapper = [.. Unshare, "/bin/sh", "-c", $"{mount} && exec \"$0\" \"$@\""] };
    }

    private static bool Works(string[] words)
    {
        if (Programs.Find(Programs.SearchPath, words[0]) is not { } program)
            return false;
        using var process = Process.Start(
            new ProcessStartInfo(program, words.Skip(1)) { UseShellExecute = false, RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
