using System.Diagnostics;
using System.Threading.Channels;

namespace Elastic.Testing;

/// <summary>An executable of ours as a real process: what it said and when, and ways to end it.</summary>
public sealed class ElasticProcess : RunningCommand
{
    private readonly Process _process;
    private readonly Channel<string> _unread = Channel.CreateUnbounded<string>();

    /// <summary><c>elastic</c> with these arguments.</summary>
    public ElasticProcess(params string[] arguments) : this(Launch.Elastic, arguments)
    {
    }

    public ElasticProcess(Launch launch, IEnumerable<string> arguments)
    {
        string[] words =
        [
            .. launch.Wrapper, .. launch.IsProgram ? Array.Empty<string>() : ["dotnet"],
            Path.Combine(AppContext.BaseDirectory, launch.Assembly), .. launch.Words, .. arguments,
        ];
        var start = new ProcessStartInfo(words[0], words.Skip(1))
        {
            RedirectStandardInput = launch.TakesInput,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var (name, value) in launch.Environment)
            start.Environment[name] = value;
        StartedAt = DateTime.UtcNow;
        _process = Process.Start(start)!;
        ProcessGuard.OfThisProcess.Add(Id = _process.Id);
        _process.Exited += (_, _) => ProcessGuard.OfThisProcess.Remove(Id);
        _process.EnableRaisingEvents = true;
        _process.OutputDataReceived += (_, e) => Read(e.Data, isError: false);
        _process.ErrorDataReceived += (_, e) => Read(e.Data, isError: true);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Another executable of the solution.</summary>
    public static ElasticProcess Run(string assembly, params string[] arguments) => new(new Launch(assembly), arguments);

    public DateTime StartedAt { get; }

    public int Id { get; }

    public override string Name => $"process {Id}";

    public override bool HasEnded => _process.HasExited;

    /// <summary>Time of the processors so far, in the program and in the kernel.</summary>
    public (TimeSpan User, TimeSpan Kernel) ProcessorTime
    {
        get
        {
            _process.Refresh();
            return (_process.UserProcessorTime, _process.PrivilegedProcessorTime);
        }
    }

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
    /// <returns>The moment before.</returns>
    public async Task<DateTime> KillAsync()
    {
        var at = DateTime.UtcNow;
        _process.Kill();
        await _process.WaitForExitAsync();
        return at;
    }

    /// <param name="name">"TERM", "STOP" or "CONT".</param>
    public void Signal(string name) => Signals.Send(Id, name);

    public override void AskToEnd() => Signal("TERM");

    public override async Task<int> EndAsync(TimeSpan? deadline = null)
    {
        using var timeout = new CancellationTokenSource(deadline ?? Deadline);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException e)
        {
            throw Late(e);
        }

        return _process.ExitCode;
    }

    /// <summary>Writes a line to its standard input.</summary>
    public async Task WriteLineAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>Nothing more is written to its standard input.</summary>
    public void CloseInput() => _process.StandardInput.Close();

    /// <summary>The next line of its standard output; waits for it.</summary>
    /// <exception cref="InvalidOperationException">It ended before; says what it said.</exception>
    public async Task<string> ReadLineAsync(TimeSpan deadline)
    {
        if (await _unread.Reader.WaitToReadAsync().AsTask().WaitAsync(deadline) && _unread.Reader.TryRead(out var line))
            return line;
        throw new InvalidOperationException($"the process ended; it said:{Environment.NewLine}{Said}");
    }

    public override void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        ProcessGuard.OfThisProcess.Remove(Id);
        _process.Dispose();
    }

    // A stream's end is a line that is null.
    private void Read(string? line, bool isError)
    {
        if (line is not null)
            Note(line, isError);
        if (isError)
            return;
        if (line is null)
            _unread.Writer.Complete();
        else
            _unread.Writer.TryWrite(line);
    }
}
