using System.Diagnostics;

namespace Elastic.Bench.Elasticity.Clusters;

/// <summary>An executable of ours as a process, and when it said what.</summary>
internal sealed class TimedProcess : IDisposable
{
    private readonly Process _process;
    private readonly List<(DateTime At, string Text)> _lines = [];

    /// <param name="assembly">Beside the benchmark.</param>
    public TimedProcess(string assembly, IEnumerable<string> arguments)
    {
        StartedAt = DateTime.UtcNow;
        _process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, assembly), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        _process.OutputDataReceived += (_, e) => Note(e.Data);
        _process.ErrorDataReceived += (_, e) => Note(e.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public DateTime StartedAt { get; }

    public bool HasEnded => _process.HasExited;

    /// <summary>Standard output and error so far.</summary>
    public IReadOnlyList<(DateTime At, string Text)> Lines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    public string Said => string.Join(Environment.NewLine, Lines.Select(l => l.Text));

    /// <summary>SIGKILL.</summary>
    /// <returns>The moment before.</returns>
    public async Task<DateTime> KillAsync()
    {
        var at = DateTime.UtcNow;
        _process.Kill();
        await _process.WaitForExitAsync();
        return at;
    }

    /// <summary>Waits for the end.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> EndAsync(TimeSpan deadline)
    {
        using var timeout = new CancellationTokenSource(deadline);
        await _process.WaitForExitAsync(timeout.Token);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    private void Note(string? line)
    {
        if (line is null)
            return;
        lock (_lines)
            _lines.Add((DateTime.UtcNow, line));
    }
}
