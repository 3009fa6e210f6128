using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Corpora;
using Elastic.Corpus;
using Elastic.Foundation;

namespace Elastic.Actors.Nodes;

/// <summary>
/// Fetches, on a seed, all shards of its runs' corpora. Workers fetch only the shards that they read; if only one machine had a whole
/// corpus, its loss would end the run.
/// </summary>
internal sealed class CorpusKeeperActor : ReceiveActor, IWithTimers
{
    // The node that has the rest may not have joined yet; no work waits for this fetch.
    private static readonly Backoff Retry = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly CancellationTokenSource _ended = new();

    // Of each corpus the state in which it has most shards: that has all of the others.
    private readonly Dictionary<Digest, BuiltCorpus> _furthest = [];

    // Ends what is fetched of a corpus that is deleted: it would make its folder again.
    private readonly Dictionary<Digest, CancellationTokenSource> _fetches = [];

    public CorpusKeeperActor(Func<BuiltCorpus, CancellationToken, Task> complete)
    {
        Receive<BuiltCorpus>(corpus =>
        {
            if (_furthest.TryGetValue(corpus.Id, out var known) && CorpusFiles.Further(known, corpus) == known)
                return;
            _furthest[corpus.Id] = corpus;
            Timers.Cancel(corpus.Id);
            Self.Tell(new Complete(corpus, 0));
        });
        Receive<Complete>(due =>
        {
            if (_furthest.ContainsKey(due.Corpus.Id))
                _ = complete(due.Corpus, UntilForgotten(due.Corpus.Id))
                    .PipeTo(Self, success: () => new Completed(due.Corpus), failure: e => new Failed(due, e));
        });
        Receive<Completed>(completed => _log.Info(
            completed.Corpus.IsGrowing ? "all that is finished of the corpus {0} is here" : "the corpus {0} is whole here",
            completed.Corpus.Id.Short));
        Receive<Forget>(forget =>
        {
            _furthest.Remove(forget.Corpus);
            if (_fetches.Remove(forget.Corpus, out var fetch))
                fetch.Cancel();
            Timers.Cancel(forget.Corpus);
        });
        Receive<Failed>(failed =>
        {
            if (_furthest.GetValueOrDefault(failed.What.Corpus.Id) != failed.What.Corpus)
                return;                                                // what it lacks is fetched with the further one
            var pause = Retry.After(failed.What.Attempt);
            _log.Warning("the corpus {0} is not whole here ({1}); trying again in {2:0.0} s",
                failed.What.Corpus.Id.Short, failed.Cause.Message, pause.TotalSeconds);
            Timers.StartSingleTimer(failed.What.Corpus.Id, failed.What with { Attempt = failed.What.Attempt + 1 }, pause);
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc cref="CorpusKeeperActor"/>
    /// <param name="complete">Fetches all of a corpus that is not here.</param>
    public static Props Props(Func<BuiltCorpus, CancellationToken, Task> complete) =>
        Akka.Actor.Props.Create(() => new CorpusKeeperActor(complete));

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _ended.Cancel();
        _ended.Dispose();
    }

    private CancellationToken UntilForgotten(Digest corpus)
    {
        if (!_fetches.TryGetValue(corpus, out var fetch))
            _fetches[corpus] = fetch = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token);
        return fetch.Token;
    }

    /// <summary>The corpus is deleted.</summary>
    internal sealed record Forget(Digest Corpus) : INoSerializationVerificationNeeded;

    private sealed record Complete(BuiltCorpus Corpus, int Attempt) : INoSerializationVerificationNeeded;

    private sealed record Completed(BuiltCorpus Corpus) : INoSerializationVerificationNeeded;

    private sealed record Failed(Complete What, Exception Cause) : INoSerializationVerificationNeeded;
}
