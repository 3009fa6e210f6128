using Elastic.Actors.Corpora;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Control;

/// <summary>
/// The build of a corpus by nodes, in the seed that was asked for it: reads by all nodes, decides and writes here. The bytes are those of
/// <c>elastic corpus build</c>. Thread-safe.
/// </summary>
internal sealed class RunningBuild : IProgress<BuildProgress>, IProgress<CorpusProgress>, IDisposable
{
    private const int NoticesKept = 100;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Queue<string> _notices = [];
    private readonly Queue<(TimeSpan At, long Documents, long Bytes)> _samples = [];
    private readonly TimeProvider _time;
    private readonly long _began;
    private readonly DropCounts _drops;
    private BuildProgress _progress = new(0, 0, 0);
    private PieceReading? _reading;
    private string _phase = "looks at its sources";
    private int _told;

    public RunningBuild(string build, BuildPlan plan, TimeProvider time)
    {
        (Build, Plan, _time, _began) = (build, plan, time, time.GetTimestamp());
        _drops = new DropCounts(plan.Manifest);
    }

    /// <summary>Its name.</summary>
    public string Build { get; }

    public BuildPlan Plan { get; }

    /// <summary>A person has stopped it.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>How far it is.</summary>
    public BuildSight Sight
    {
        get
        {
            lock (_gate)
            {
                var now = _time.GetElapsedTime(_began);
                var (at, documents, bytes) = _samples.TryPeek(out var oldest) ? oldest : (now, 0, 0);
                var seconds = (now - at).TotalSeconds;
                return new BuildSight(
                    _phase, _progress.Documents, _progress.Bytes, _progress.OfBytes,
                    seconds > 0 ? (_progress.Documents - documents) / seconds : 0, seconds > 0 ? (_progress.Bytes - bytes) / seconds : 0,
                    _reading?.Nodes ?? 0, _drops.All, [.. _notices], _told);
            }
        }
    }

    /// <summary>Ends it.</summary>
    /// <param name="byPerson">It is not to go on by itself.</param>
    public void Stop(bool byPerson)
    {
        IsStopped |= byPerson;
        _stop.Cancel();
    }

    /// <summary>Builds it, or goes on with what is there.</summary>
    /// <exception cref="ElasticException">It cannot be built, and why.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public async Task<BuiltCorpus> RunAsync(ElasticNode node, Origin origin)
    {
        var (cancel, paths) = (_stop.Token, node.Paths);
        var here = await new Downloads(paths.Downloads, Say).GetAsync(Plan.Manifest, cancel);
        var store = new PieceStore(paths.Pieces);
        // It blocks for hours while nodes read.
        var text = await Task.Factory.StartNew(
            () =>
            {
                var built = new CorpusBuilder(here, store, paths.Texts)
                {
                    Others = (pieces, came, stop) =>
                        ReadByNodesAsync(node, origin, here, store, pieces, came, stop).GetAwaiter().GetResult(),
                }.Run(Environment.ProcessorCount, this, cancel);
                DefaultMixture.Write(built, here);
                return built;
            }, cancel, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Enter("makes tokens");
        var settings = DefaultMixture.Apply(text.CorpusOf(Plan.Corpus));
        var corpus = await node.BuildCorpusAsync(settings, this, cancel);
        if (BuiltText.Of(settings) is { } own)
            await MetadataTable.WriteAsync(own, corpus, settings, cancel);
        return corpus;
    }

    void IProgress<BuildProgress>.Report(BuildProgress value)
    {
        lock (_gate)
        {
            var now = _time.GetElapsedTime(_began);
            if (_samples.Count == 0)
                _samples.Enqueue((now, _progress.Documents, _progress.Bytes));
            _progress = value;
            _samples.Enqueue((now, value.Documents, value.Bytes));
            while (_samples.Count > 1 && now - _samples.Peek().At > Window)
                _samples.Dequeue();
            if (value.Bytes >= value.OfBytes)
                _phase = "decides and writes";
        }
    }

    void IProgress<CorpusProgress>.Report(CorpusProgress value)
    {
        if (value.Notice is { } notice)
            Say(notice);
    }

    public void Dispose() => _stop.Dispose();

    private async Task ReadByNodesAsync(
        ElasticNode node, Origin origin, BuildManifest manifest, PieceStore store, IReadOnlyList<SourcePiece> pieces,
        Action<SourcePiece> came, CancellationToken cancel)
    {
        var reading = new PieceReading(node, origin, Say);
        lock (_gate)
            (_reading, _phase) = (reading, "reads by nodes");
        await reading.RunAsync(manifest, store, pieces, piece =>
        {
            came(piece);
            var dropped = _drops.Count(store.Documents(piece));
            lock (_gate)
                _drops.Add(dropped);
        }, cancel);
        lock (_gate)
            (_reading, _phase) = (null, "reads here");
    }

    private void Enter(string phase)
    {
        lock (_gate)
            _phase = phase;
    }

    private void Say(string notice)
    {
        lock (_gate)
        {
            _told++;
            _notices.Enqueue(notice);
            if (_notices.Count > NoticesKept)
                _notices.Dequeue();
        }
    }
}
