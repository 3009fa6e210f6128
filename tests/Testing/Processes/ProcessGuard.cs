using System.ComponentModel;
using System.Diagnostics;

namespace Elastic.Testing;

/// <summary>
/// Kills what this process has started when it ends, however it ends: after SIGKILL, at a deadline for instance, nodes would go on for
/// ever. A shell reads from a pipe which processes there are, and kills them at the pipe's end. Linux's own signal at a parent's death
/// comes at the end of the thread that has started the process, which is one of the pool.
/// </summary>
internal sealed class ProcessGuard : IDisposable
{
    private const string Shell = "/bin/sh";

    private const string Script = """
        trap '' HUP INT TERM
        all=
        while read -r word process; do
            rest=
            for one in $all; do [ "$one" = "$process" ] || rest="$rest $one"; done
            all=$rest
            [ "$word" = ended ] || all="$all $process"
        done
        [ -z "$all" ] || kill -9 $all 2>/dev/null
        """;

    private static readonly Lazy<ProcessGuard> Shared = new(() => new ProcessGuard());

    private readonly Lock _gate = new();
    private readonly Process? _shell;

    /// <summary>None where there is no shell: a small image, or Windows.</summary>
    public ProcessGuard()
    {
        try
        {
            _shell = File.Exists(Shell)
                ? Process.Start(new ProcessStartInfo(Shell, ["-c", Script]) { RedirectStandardInput = true, UseShellExecute = false })
                : null;
        }
        catch (Win32Exception)
        {
        }
    }

    /// <summary>That of this process.</summary>
    public static ProcessGuard OfThisProcess => Shared.Value;

    /// <summary>The process is to end with this one.</summary>
    public void Add(int process) => Say($"runs {process}");

    /// <summary>It has ended: its number may become another one's.</summary>
    public void Remove(int process) => Say($"ended {process}");

    /// <summary>Does what the end of this process would do.</summary>
    public void Dispose()
    {
        _shell?.StandardInput.Close();
        _shell?.WaitForExit();
        _shell?.Dispose();
    }

    private void Say(string line)
    {
        if (_shell is null)
            return;
        lock (_gate)
        {
            try
            {
                _shell.StandardInput.WriteLine(line);
                _shell.StandardInput.Flush();
            }
            catch (IOException)
            {
                // Somebody has killed the shell: nothing is guarded any more.
            }
        }
    }
}
