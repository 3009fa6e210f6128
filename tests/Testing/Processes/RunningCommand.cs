using System.Text.Json;

namespace Elastic.Testing;

/// <summary>A command of ours that was started: what it said and when, and its end.</summary>
public abstract class RunningCommand : IDisposable
{
    protected static readonly TimeSpan Deadline = TimeSpan.FromMinutes(4);

    private readonly List<ProcessLine> _lines = [];

    /// <summary>Starts one in a process, or in the caller's where <see cref="Launch.Here"/> says how.</summary>
    public static RunningCommand Start(Launch launch, IEnumerable<string> arguments) =>
        launch.Here is { } run ? new CommandHere(run, arguments) : new ElasticProcess(launch, arguments);

    /// <summary>For people: which process it is.</summary>
    public abstract string Name { get; }

    /// <summary>All that it said so far.</summary>
    public IReadOnlyList<ProcessLine> Lines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    /// <summary>Its standard output so far.</summary>
    public string Output => Text(Lines.Where(l => !l.IsError));

    /// <summary>Its standard error so far.</summary>
    public string Error => Text(Lines.Where(l => l.IsError));

    /// <summary>Both.</summary>
    public string Said => Text(Lines);

    public abstract bool HasEnded { get; }

    /// <summary>Asks it to end by itself, as SIGTERM does.</summary>
    public abstract void AskToEnd();

    /// <summary>Waits for the end.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="TimeoutException">It does not end; says what it said.</exception>
    public abstract Task<int> EndAsync(TimeSpan? deadline = null);

    /// <summary>Runs to the end; the last line of its standard output as JSON.</summary>
    /// <exception cref="InvalidOperationException">It failed; says what it said.</exception>
    public async Task<JsonElement> ResultAsync()
    {
        if (await EndAsync() is not 0 and var code)
            throw new InvalidOperationException($"exit code {code}:{Environment.NewLine}{Error}");
        return JsonDocument.Parse(Output.Trim().Split('\n')[^1]).RootElement;
    }

    public abstract void Dispose();

    protected void Note(string line, bool isError)
    {
        lock (_lines)
            _lines.Add(new ProcessLine(DateTime.UtcNow, isError, line));
    }

    protected TimeoutException Late(Exception inner) =>
        new($"{Name} does not end; it said:{Environment.NewLine}{Said}", inner);

    private static string Text(IEnumerable<ProcessLine> lines) => string.Concat(lines.Select(l => l.Text + Environment.NewLine));
}

/// <summary>A line that a command said.</summary>
/// <param name="IsError">On its standard error.</param>
public readonly record struct ProcessLine(DateTime At, bool IsError, string Text);
