using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Elastic.Cluster.Tests;

/// <summary>An executable of ours as a real process, which can be killed.</summary>
internal sealed class ElasticProcess : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(4);
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();

    /// <summary><c>elastic</c> with these arguments.</summary>
    public ElasticProcess(params string[] arguments) : this(new Launch("elastic.dll"), arguments)
    {
    }

    public ElasticProcess(Launch launch, IEnumerable<string> arguments)
    {
        string[] words = [.. launch.Wrapper, "dotnet", Path.Combine(AppContext.BaseDirectory, launch.Assembly), .. launch.Words, .. arguments];
        var start = new ProcessStartInfo(words[0], words.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var (name, value) in launch.Environment)
            start.Environment[name] = value;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, e) => Append(_output, e.Data);
        _process.ErrorDataReceived += (_, e) => Append(_error, e.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Another executable of the solution.</summary>
    public static ElasticProcess Run(string assembly, params string[] arguments) => new(new Launch(assembly), arguments);

    public string Output => Text(_output);

    public string Error => Text(_error);

    public int Id => _process.Id;

    public bool HasEnded => _process.HasExited;

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
            await KillAsync();
            return true;
        }
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <param name="name">E.g. "TERM", "STOP".</param>
    public void Signal(string name)
    {
        using var kill = Process.Start("/bin/kill", [$"-{name}", Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
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

/// <summary>How an executable is started.</summary>
/// <param name="Assembly">Beside the tests.</param>
internal sealed record Launch(string Assembly)
{
    public static readonly Launch Elastic = new("elastic.dll");

    /// <summary>A worker whose steps take at least 20 ms, so that a run is not over before all that is to happen to it has happened.</summary>
    public static readonly Launch Slow = new("Elastic.Faulty.dll") { Words = ["slow"] };

    /// <summary>Words before the command.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>Words before "dotnet ..."; a wrapper must end in <c>exec</c>, so that it is the process that gets the signals.</summary>
    public IReadOnlyList<string> Wrapper { get; init; } = [];

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
}
