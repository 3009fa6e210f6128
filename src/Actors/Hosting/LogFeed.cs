using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Elastic.Actors.Hosting;

/// <summary>How much a line of the log matters.</summary>
public enum LogSeverity
{
    Info,
    Warning,
    Error,
}

/// <summary>A line of the log, as log.txt has it but for the trace of an exception.</summary>
public sealed record LogLine(DateTimeOffset At, LogSeverity Severity, string Text);

/// <summary>
/// What the actor systems of this process log, for people who look on: the newest lines, and those to come. Never waits for them: who reads
/// slowly misses the oldest lines. Thread-safe.
/// </summary>
public sealed class LogFeed
{
    // As many as fill a few screens, and a second of the worst storm.
    private const int Kept = 500, MostUnread = 1000;

    private readonly Queue<LogLine> _newest = [];                      // guarded by itself, and so are the followers
    private readonly List<Channel<LogLine>> _followers = [];

    /// <summary>The feed of the process, as its log is: a node that joins anew has another actor system and the same log.</summary>
    public static LogFeed OfProcess { get; } = new();

    public void Add(LogLine line)
    {
        lock (_newest)
        {
            _newest.Enqueue(line);
            if (_newest.Count > Kept)
                _newest.Dequeue();
            foreach (var follower in _followers)
                follower.Writer.TryWrite(line);
        }
    }

    /// <summary>Lines that matter as much as <paramref name="least"/>: some of the newest, then all that come.</summary>
    /// <param name="earlier">How many of those that were logged before, at most.</param>
    public async IAsyncEnumerable<LogLine> FollowAsync(
        LogSeverity least, int earlier, [EnumeratorCancellation] CancellationToken cancel)
    {
        var mine = Channel.CreateBounded<LogLine>(new BoundedChannelOptions(MostUnread) { FullMode = BoundedChannelFullMode.DropOldest });
        List<LogLine> before;
        lock (_newest)
        {
            before = [.. _newest.Where(l => l.Severity >= least).TakeLast(earlier)];
            _followers.Add(mine);
        }

        try
        {
            foreach (var line in before)
                yield return line;
            await foreach (var line in mine.Reader.ReadAllAsync(cancel))
            {
                if (line.Severity >= least)
                    yield return line;
            }
        }
        finally
        {
            lock (_newest)
                _followers.Remove(mine);
        }
    }
}
