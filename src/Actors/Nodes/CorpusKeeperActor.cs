using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Corpora;
using Elastic.Corpus;
using Elastic.Foundation;

namespace Elastic.Actors.Nodes;

/// <summary>
/// On a seed: fetches all shards of its runs' corpora. Workers fetch only the shards that they read; if only one machine had a whole
/// corpus, its loss would end the run.
/// </summary>
internal sealed class CorpusKeeperActor : ReceiveActor, IWithTimers
{
    // The node that has the rest may not have joined yet; no work waits for this fetch.
    private static readonly Backoff Retry = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly CancellationTokenSource _ended = new();
    private readonly HashSet<(Digest Corpus, int Shards, bool IsGrowing)> _known = [];

    public CorpusKeeperActor(CorpusFiles files)
    {
        Receive<BuiltCorpus>(corpus =>
        {
            if (_known.Add((corpus.Id, corpus.TrainShards.Count, corpus.IsGrowing)))
                Self.Tell(new Complete(corpus, 0));
        });
        Receive<Complete>(complete => _ = files.CompleteAsync(complete.Corpus, _ended.Token)
            .PipeTo(Self, success: () => new Completed(complete.Corpus), failure: e => new Failed(complete, e)));
        Receive<Completed>(completed => _log.Info(
            completed.Corpus.IsGrowing ? "all that is finished of the corpus {0} is here" : "the corpus {0} is whole here",
            completed.Corpus.Id.Short));
        Receive<Failed>(failed =>
        {
            var pause = Retry.After(failed.What.Attempt);
            _log.Warning("the corpus {0} is not whole here ({1}); trying again in {2:0.0} s",
                failed.What.Corpus.Id.Short, failed.Cause.Message, pause.TotalSeconds);
            Timers.StartSingleTimer(failed.What.Corpus.Id, failed.What with { Attempt = failed.What.Attempt + 1 }, pause);
        });
    }

    /// <inheritdoc/>
    public ITimerScheduler Timers { get; set; } = null!;

    /// <inheritdoc cref="CorpusKeeperActor"/>
    public static Props Props(CorpusFiles files) => Akka.Actor.Props.Create(() => new CorpusKeeperActor(files));

    /// <inheritdoc/>
    protected override void PostStop()
    {
        _ended.Cancel();
        _ended.Dispose();
    }

    private sealed record Complete(BuiltCorpus Corpus, int Attempt) : INoSerializationVerificationNeeded;

    private sealed record Completed(BuiltCorpus Corpus) : INoSerializationVerificationNeeded;

    private sealed record Failed(Complete What, Exception Cause) : INoSerializationVerificationNeeded;
}
