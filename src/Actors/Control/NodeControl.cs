using System.Globalization;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Elastic.Actors.Corpora;
using Elastic.Actors.Hosting;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Evaluation;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>What a person asks of the cluster, carried out from this node.</summary>
internal sealed class NodeControl(ElasticNode node) : IClusterControl
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    private readonly CheckpointRoom _room = new(node.Paths.Root);

    private RunCurves? _curves;

    /// <inheritdoc/>
    public StoredModels Models { get; } = new(node.Paths.Models);

    /// <inheritdoc/>
    public async Task<RunView[]> RunsAsync(CancellationToken cancel)
    {
        var names = await PagesAsync<RunsAnswer.Names>(after => new RunsQuery.Names(after), cancel);
        var views = await Task.WhenAll(
            names.SelectMany(n => n.Runs).Select(run => node.AskAsync<RunView>(new RunWatch.Look(run), Deadline, cancel)));
        return [.. views.Select(node.Here)];
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<RunView> WatchAsync(RunName run, CancellationToken cancel) => node.WatchAsync(run, cancel);

    /// <inheritdoc/>
    public Task<RememberedRun?> RememberedAsync(RunName run, CancellationToken cancel) => node.RememberedAsync(run, cancel);

    /// <inheritdoc/>
    public async Task<RunReply> StartAsync(
        TrainingSettings settings, Digest? known, Origin origin, IProgress<string> progress, CancellationToken cancel)
    {
        settings = settings with { Corpus = DefaultMixture.Apply(settings.Corpus) };
        if (settings.Model.Init is not null)
        {
            var remembered = await node.RememberedAsync(new RunName(settings.Run.Name), cancel);
            StartingPoint.Check(settings.Model, remembered?.Settings.Model, Models);
        }

        if (settings.Corpus.Order == CorpusOrder.Stream)
            return await StreamAsync(settings, known, origin, progress, cancel);
        var corpus = (known is { } id ? node.OpenCorpus(id) : null)
            ?? await node.BuildCorpusAsync(settings.Corpus, new CorpusLines(progress), cancel);
        settings = Resolve(settings, corpus);
        if (await CutDocuments.NoticeAsync(settings, corpus, cancel) is { } cut)
            progress.Report(cut);
        return await node.StartRunAsync(settings, corpus, origin);
    }

    /// <inheritdoc/>
    public async Task<StartPreview> PreviewAsync(TrainingSettings settings, Digest? corpus, Origin origin, CancellationToken cancel)
    {
        var name = new RunName(settings.Run.Name);
        var run = await ReadAsync(database => StoredRuns.StateAsync(database, name, cancel));
        return await Task.Run(() => StartPreview.OfAsync(node, run, settings, corpus, origin, cancel), cancel);
    }

    /// <inheritdoc/>
    public Task<RunReply> StopAsync(RunName run, Origin origin, CancellationToken cancel) => node.StopRunAsync(run, origin);

    /// <inheritdoc/>
    public Task<RunReply> DeleteAsync(RunName run, Origin origin, CancellationToken cancel) => node.DeleteRunAsync(run, origin);

    /// <inheritdoc/>
    public Task<RunReply> AskAsync(RunRequest request, CancellationToken cancel) => node.AskAsync<RunReply>(request, Deadline, cancel);

    /// <inheritdoc/>
    public async Task<RunReply> SetAsync(RunRequest.Set set, CancellationToken cancel)
    {
        // Of a run that reads its corpus while it is built the supervisor refuses any other mixture.
        if (await node.RememberedAsync(set.Run, cancel) is { } run && run.Settings.Corpus.Order != CorpusOrder.Stream
            && PartialSettings.Read(set.Settings).Any(v => v.Setting.Key == RunStart.MixtureKey))
            RunStart.CheckMixture(
                run.Settings, [set.Settings], node.OpenCorpus(run.Corpus) ?? throw new ElasticException(
                    $"the corpus of run {set.Run} is not on this seed, so that its sources are not known: ask the seed that built it"));
        return await node.AskAsync<RunReply>(set, Deadline, cancel);
    }

    /// <inheritdoc/>
    public Task<RunCurve?> CurveAsync(RunName run, CancellationToken cancel) =>
        ReadAsync(database => (_curves ??= new RunCurves(database)).ReadAsync(run, cancel));

    /// <inheritdoc/>
    public Task<IReadOnlyList<StoredObservation>> ObservedAsync(ObservationQuery query, CancellationToken cancel) =>
        ReadAsync(database => new ObservationStore(database.ReadOnly()).ReadAsync(query, cancel));

    /// <inheritdoc/>
    public Task<PlacedCheckpoint> PlaceCheckpointAsync(RunName run, IProgress<string> progress, CancellationToken cancel) =>
        new RunCheckpoints(node, _room, NodesAsync).NewestAsync(run, progress, cancel);

    /// <inheritdoc/>
    public async Task<EvaluatedCheckpoint> CheckpointAsync(RunName run, IProgress<string> progress, CancellationToken cancel) =>
        await Evaluation.OpenAsync(await PlaceCheckpointAsync(run, progress, cancel), cancel);

    /// <inheritdoc/>
    public IAsyncEnumerable<double[]> ScoreAsync(
        EvaluatedCheckpoint checkpoint, IEnumerable<IReadOnlyList<ScoredRow>> pieces, Origin origin, IProgress<string> progress,
        CancellationToken cancel) => Evaluation.ScoreAsync(checkpoint, pieces, origin, progress, cancel);

    /// <inheritdoc/>
    public async Task<NodeView[]> NodesAsync(CancellationToken cancel) =>
        [.. (await PagesAsync<RunsAnswer.Nodes>(after => new RunsQuery.Nodes(after), cancel)).SelectMany(n => n.Views)];

    /// <inheritdoc/>
    public Task<NodeReply> UseDevicesAsync(string name, string devices, Origin origin, CancellationToken cancel) =>
        node.AskAsync<NodeReply>(new NodeRequest.UseDevices(name, devices, origin), Deadline, cancel);

    /// <inheritdoc/>
    public Task<NodeReply> DrainAsync(string name, bool undo, Origin origin, CancellationToken cancel) =>
        node.AskAsync<NodeReply>(new NodeRequest.Drain(name, undo, origin), Deadline, cancel);

    /// <inheritdoc/>
    public Task<NodeReply> ThreadsAsync(string name, Origin origin, CancellationToken cancel) =>
        node.AskAsync<NodeReply>(new NodeRequest.ShowThreads(name, origin), Deadline, cancel);

    /// <inheritdoc/>
    public async Task<ClusterMembers> ClusterAsync(CancellationToken cancel)
    {
        var state = Cluster.Get(node.System).State;
        string? supervisor;
        try
        {
            supervisor = (await node.AskAsync<RunsAnswer.Nodes>(new RunsQuery.Nodes(), TimeSpan.FromSeconds(1), cancel)).Supervisor;
        }
        catch (ElasticException)
        {
            supervisor = null;                                         // the singleton is moving to another seed
        }

        return new ClusterMembers(
            [.. state.Members.Select(
                m => new ClusterMember(Short(m.Address), [.. m.Roles], m.Status.ToString(), !state.Unreachable.Contains(m)))],
            state.Leader is { } leader ? Short(leader) : null, supervisor is null ? null : Short(Address.Parse(supervisor)),
            node.Security);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<LogLine> LogAsync(LogSeverity severity, int newest, CancellationToken cancel) =>
        LogFeed.OfProcess.FollowAsync(severity, newest, cancel);

    /// <inheritdoc/>
    public Task<string> BuildAsync(BuildPlan plan, Origin origin, CancellationToken cancel) => node.Builds.StartAsync(plan, origin, cancel);

    /// <inheritdoc/>
    public Task<IReadOnlyList<BuildStatus>> BuildsAsync(CancellationToken cancel) => node.Builds.ListAsync(cancel);

    /// <inheritdoc/>
    public IAsyncEnumerable<BuildStatus> WatchBuildAsync(string build, CancellationToken cancel) => node.Builds.WatchAsync(build, cancel);

    /// <inheritdoc/>
    public Task<DeletedCorpus> DeleteCorpusAsync(string name, Origin origin, CancellationToken cancel) =>
        new CorpusDeletion(node).RunAsync(name, origin, cancel);

    /// <inheritdoc/>
    public Task StopBuildAsync(string build, Origin origin, CancellationToken cancel) => node.Builds.StopAsync(build, cancel);

    private ClusterEvaluation Evaluation => new(node, _room);

    // Only seeds answer people, and each of them has the database.
    private async Task<T> ReadAsync<T>(Func<DatabaseAddress, Task<T>> read)
    {
        try
        {
            return await read(node.Database ?? throw new ElasticException("this process has no journal: ask a seed"));
        }
        catch (DatabaseUnavailableException e)
        {
            throw new UnavailableException($"the database cannot be read ({e.Message}): see that it runs, then try again", e);
        }
    }

    /// <summary>
    /// The settings with what is known only once there is a corpus: the path of a tokenizer becomes its id, and
    /// <c>model.vocabulary</c> = 0 becomes the tokenizer's.
    /// </summary>
    /// <exception cref="ElasticException">The vocabulary is too small for the tokenizer.</exception>
    public static TrainingSettings Resolve(TrainingSettings settings, BuiltCorpus corpus) => WithVocabulary(
        settings with { Corpus = settings.Corpus with { Tokenizer = corpus.Manifest.Tokenizer } }, corpus.Manifest.Tokenizer,
        corpus.Manifest.VocabularySize);

    /// <summary>The settings with the vocabulary of their tokenizer, where there is no corpus yet.</summary>
    /// <exception cref="ElasticException">There is no such tokenizer, or the vocabulary is too small for it.</exception>
    public static TrainingSettings WithVocabulary(TrainingSettings settings) => settings.Model.Vocabulary > 0
        ? settings : WithVocabulary(settings, settings.Corpus.Tokenizer, Tokenizer.Find(settings.Corpus.Tokenizer).VocabularySize);

    internal static TrainingSettings WithVocabulary(
        TrainingSettings settings, string tokenizer, int size) => settings.Model.Vocabulary switch
        {
            0 => settings with { Model = settings.Model with { Vocabulary = size + settings.Model.AddedTokens } },
            // A larger vocabulary leaves rows of the embedding unused; a smaller one has no rows for some tokens of the text.
            var few when few < size + settings.Model.AddedTokens => throw new ElasticException(
                $"model.vocabulary = {few} is smaller than the vocabulary of the tokenizer " +
                $"({tokenizer}: {size}" +
                $"{(settings.Model.AddedTokens > 0 ? ", and a token that hides others" : "")}): use 0, which takes the tokenizer's"),
            _ => settings,
        };

    private async Task<IReadOnlyList<T>> PagesAsync<T>(Func<string?, RunsQuery> ask, CancellationToken cancel) where T : RunsAnswer
    {
        var pages = new List<T>();
        do
            pages.Add(await node.AskAsync<T>(ask(pages.LastOrDefault()?.Next), null, cancel));
        while (pages[^1].Next is not null);
        return pages;
    }

    // The build goes on when the run is started, and whoever asked is gone.
    private async Task<RunReply> StreamAsync(
        TrainingSettings settings, Digest? known, Origin origin, IProgress<string> progress, CancellationToken cancel)
    {
        GrowingCorpus growing;
        BuiltCorpus corpus;
        using (var lines = new CorpusLines(progress))
        {
            growing = (known is { } id ? node.OpenCorpus(id) : null) is { } opened ? GrowingCorpus.Of(opened)
                : await node.StreamCorpusAsync(settings.Corpus, lines, cancel);
            corpus = await growing.BeginningAsync(settings, cancel);
        }

        settings = Resolve(settings, corpus);
        var reply = await node.StartRunAsync(settings, corpus, origin);
        if (reply is RunReply.Accepted)
            _ = FeedAsync(settings, growing);
        return reply;
    }

    private async Task FeedAsync(TrainingSettings settings, GrowingCorpus corpus)
    {
        var log = Logging.GetLogger(node.System, typeof(NodeControl));
        try
        {
            if (await node.FeedAsync(settings, corpus, "the build of the corpus") is { } refusal)
                log.Warning("run {0} takes no more of its corpus: {1}", settings.Run.Name, refusal);
        }
        catch (Exception e)
        {
            log.Error(e, "run {0} is not told any more what is finished of its corpus", settings.Run.Name);
        }
    }

    private static string Short(Address address) => address.ToEndpoint().ToString();

    // Limits the lines to one per interval, however fast the documents come. Who asked may be gone when they go on coming.
    private sealed class CorpusLines(IProgress<string> progress) : IProgress<CorpusProgress>, IDisposable
    {
        private volatile bool _isOver;

        private static readonly TimeSpan Between = TimeSpan.FromSeconds(2);
        private long _last = System.Diagnostics.Stopwatch.GetTimestamp();

        public void Report(CorpusProgress value)
        {
            if (_isOver)
                return;
            if (value.Notice is { } notice)
            {
                progress.Report(notice);
                return;
            }

            if (System.Diagnostics.Stopwatch.GetElapsedTime(_last) < Between)
                return;
            _last = System.Diagnostics.Stopwatch.GetTimestamp();
            progress.Report(string.Create(
                CultureInfo.InvariantCulture, $"corpus: {value.DocumentsRead:N0} documents, {value.TokensWritten:N0} tokens"));
        }

        public void Dispose() => _isOver = true;
    }
}
