using System.Diagnostics;
using System.Threading.Channels;
using Elastic.Foundation;
using Elastic.Messages.Observations;

namespace Elastic.Storage;

/// <summary>
/// Records observations: one call is a row in the database, an event for followers in this process, and a value of the metrics. The call
/// never waits: rows are written in batches by a task of its own, and when the database is slow for long, rows are dropped and counted.
/// Thread-safe.
/// </summary>
public sealed class Observations : IAsyncDisposable
{
    /// <summary>Most rows that wait: some minutes of a busy run while the database is down, in a few megabytes.</summary>
    public const int MostWaiting = 10_000;

    // Long enough that a run with many steps costs the journal's database a few transactions a second at most, short enough for people.
    private static readonly TimeSpan BetweenBatches = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan BetweenPrunings = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LastRows = TimeSpan.FromSeconds(2);
    private static readonly Backoff Retry = new(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(15));
    private const int MostInABatch = 2000, MostUnread = 1000;

    private readonly ObservationStore _store;
    private readonly Action<string>? _say;
    private readonly Channel<Waiting> _waiting;
    private readonly List<Channel<Observed>> _followers = [];      // guarded by itself
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _writing;
    private long _dropped;
    private bool _isAway;                                          // of the writing task alone

    /// <param name="say">Is told when rows are not stored, once, and when they are again; null for nobody.</param>
    public Observations(ObservationStore store, int mostWaiting = MostWaiting, Action<string>? say = null)
    {
        (_store, _say) = (store, say);
        // "Wait" matters to waiting writers only; TryWrite returns false when the channel is full.
        _waiting = Channel.CreateBounded<Waiting>(
            new BoundedChannelOptions(mostWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
        _writing = Task.Run(WriteAsync);
    }

    /// <summary>Records what was observed just now. Does not wait and does not fail.</summary>
    public void Record(Observation what)
    {
        Announce(what);
        Enter(new Waiting(what, Stopwatch.GetTimestamp()));
    }

    /// <summary>True while the runs are supervised in this process.</summary>
    public bool Supervises { get; private set; }

    /// <summary>The runs are supervised here from now on.</summary>
    /// <param name="seed">This seed's data plane, "host:port".</param>
    public void Begin(string seed)
    {
        Supervises = true;
        Record(new SupervisionBegan(seed));
    }

    /// <summary>The runs are not supervised here any longer: metrics show the newest values no more.</summary>
    public void End()
    {
        Supervises = false;
        ObservationMeters.Forget();
    }

    /// <summary>Records what the journal says, unless it was recorded before: a seed may have died between the two.</summary>
    public void RecordOnce(RunObservation what) => Enter(new Waiting(what, Stopwatch.GetTimestamp(), Once: true));

    /// <summary>What is recorded in this process from now on. A slow reader misses the oldest.</summary>
    public async IAsyncEnumerable<Observed> FollowAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        var mine = Channel.CreateBounded<Observed>(new BoundedChannelOptions(MostUnread) { FullMode = BoundedChannelFullMode.DropOldest });
        lock (_followers)
            _followers.Add(mine);
        try
        {
            await foreach (var observed in mine.Reader.ReadAllAsync(cancel))
                yield return observed;
        }
        finally
        {
            lock (_followers)
                _followers.Remove(mine);
        }
    }

    /// <summary>Writes the rows that wait, as far as the database takes them within LastRows.</summary>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        _ending.CancelAfter(LastRows);
        await _writing;
        _ending.Dispose();
    }

    private void Enter(Waiting row)
    {
        if (!_waiting.Writer.TryWrite(row))
            Interlocked.Increment(ref _dropped);
    }

    private void Announce(Observation what)
    {
        ObservationMeters.Count(what);
        var observed = new Observed(DateTimeOffset.UtcNow, what);
        lock (_followers)
        {
            foreach (var follower in _followers)
                follower.Writer.TryWrite(observed);
        }
    }

    private async Task WriteAsync()
    {
        var pruned = Stopwatch.GetTimestamp();
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(_ending.Token))
            {
                await AppendAsync(TakeBatch());
                if (Stopwatch.GetElapsedTime(pruned) > BetweenPrunings)
                {
                    pruned = Stopwatch.GetTimestamp();
                    await TryAsync(() => _store.PruneAsync(ObservationStore.RowsOfAKind, _ending.Token));
                }

                await Task.WhenAny(_waiting.Reader.Completion, Task.Delay(BetweenBatches, _ending.Token));
            }
        }
        catch (OperationCanceledException)
        {
            // The process ends, and the database has not taken the last rows in time.
        }
        catch (Exception e)
        {
            _say?.Invoke($"observations are not stored any more ({OneLine.Of(e.Message)}): the display and pbm run why lack what happens "
                + "from now on; start this process again, and report the message");
        }
    }

    private List<Waiting> TakeBatch()
    {
        var batch = new List<Waiting>();
        while (batch.Count < MostInABatch && _waiting.Reader.TryRead(out var next))
            batch.Add(next);
        // Not through the queue, which was full a moment ago and may be again.
        if (Interlocked.Exchange(ref _dropped, 0) is > 0 and var dropped)
        {
            var what = new ObservationsDropped(dropped);
            Announce(what);
            batch.Add(new Waiting(what, Stopwatch.GetTimestamp()));
        }

        return batch;
    }

    // Tries a batch until it is stored; new rows wait meanwhile, or are dropped once too many wait.
    private async Task AppendAsync(List<Waiting> batch)
    {
        for (var failures = 0; ; failures++)
        {
            if (await TryAsync(async () =>
            {
                foreach (var row in batch.Where(w => w.Once).ToList())
                {
                    if (await _store.HasAsync((RunObservation)row.What, _ending.Token))
                        batch.Remove(row);
                }

                await _store.AppendAsync([.. batch.Select(w => (w.What, Stopwatch.GetElapsedTime(w.Since)))], _ending.Token);
            }))
            {
                return;
            }

            await Task.Delay(Retry.After(failures), _ending.Token);
        }
    }

    private async Task<bool> TryAsync(Func<Task> call)
    {
        try
        {
            await call();
            if (_isAway)
                _say?.Invoke("observations are stored again");
            _isAway = false;
            return true;
        }
        catch (DatabaseUnavailableException e)
        {
            if (!_isAway)
                _say?.Invoke("observations wait, and are dropped when too many do, until the database takes them: "
                    + OneLine.Of(e.Message));
            _isAway = true;
            return false;
        }
    }

    private readonly record struct Waiting(Observation What, long Since, bool Once = false);
}
