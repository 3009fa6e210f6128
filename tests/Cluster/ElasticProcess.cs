using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Elastic.Cluster.Tests;

/// <summary>An executable of ours as a real process, which can be killed.</summary>
internal sealed class ElasticProcess : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();

    /// <summary><c>elastic</c> with these arguments.</summary>
    public ElasticProcess(params string[] arguments) : this("elastic.dll", arguments)
    {
    }

    private ElasticProcess(string assembly, string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, assembly));
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, e) => Append(_output, e.Data);
        _process.ErrorDataReceived += (_, e) => Append(_error, e.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Another executable of the solution.</summary>
    public static ElasticProcess Run(string assembly, params string[] arguments) => new(assembly, arguments);

    public string Output => Text(_output);

    public string Error => Text(_error);

    /// <summary>SIGKILL, unless it has ended before <paramref name="after"/> has passed.</summary>
    /// <returns>True when it was killed.</returns>
    public async Task<bool> KillAsync(TimeSpan after)
    {
        using var timeout = new CancellationTokenSource(after);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
            return false;
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
            return true;
        }
    }

    /// <summary>Waits for the end.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> EndAsync()
    {
        using var timeout = new CancellationTokenSource(Deadline);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException e)
        {
            throw new TimeoutException($"the process does not end; it said:{Environment.NewLine}{Output}{Error}", e);
        }

        return _process.ExitCode;
    }

    /// <summary>Runs to the end; the last line of its standard output as JSON.</summary>
    public async Task<JsonElement> ResultAsync()
    {
        var code = await EndAsync();
        Assert.True(code == 0, $"exit code {code}:{Environment.NewLine}{Error}");
        return JsonDocument.Parse(Output.Trim().Split('\n')[^1]).RootElement;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    private static void Append(StringBuilder text, string? line)
    {
        if (line is not null)
            lock (text)
                text.AppendLine(line);
    }

    private static string Text(StringBuilder text)
    {
        lock (text)
            return text.ToString();
    }
}
