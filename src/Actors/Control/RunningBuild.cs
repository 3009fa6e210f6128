using Elastic.Actors.Corpora;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Control;

/// <summary>
/// The build of a corpus by nodes, in the seed that was asked for it: reads and makes tokens by all nodes, decides and writes here. The
/// bytes are those of <c>elastic corpus build</c>. Thread-safe.
/// </summary>
internal sealed class RunningBuild : IProgress<BuildProgress>, IProgress<CorpusProgress>, IDisposable
{
    private const int NoticesKept = 100;

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Queue<string> _notices = [];
    private readonly TimeProvider _time;
    private BuildPace _pace;
    private PieceReading? _reading;
    private PieceTokens? _tokens;
    // Once the text is there.
    private string? _phase;
    private int _told;

    public RunningBuild(string build, BuildPlan plan, TimeProvider time) =>
        (Build, Plan, _time, _pace) = (build, plan, time, new BuildPace(time));

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
                var now = _pace.Sight();
                return now with
                {
                    Phase = _phase ?? (_reading is null && _tokens is null ? now.Phase : $"{now.Phase} by nodes"),
                    Nodes = _reading?.Nodes ?? _tokens?.Nodes ?? 0,
                    Notices = [.. _notices],
                    Told = _told,
                };
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
        var here = await new Downloads(paths.Downloads, Say) { Nodes = new FilesOfNodes(node, origin, Say) }
            .GetAsync(Plan.Manifest, cancel);
        var step = node.Context.Faults.BuildStep;
        var store = new PieceStore(paths.Pieces, step);
        var tokens = new TokenStore(paths.TokensOf(Build));
        using var acknowledged = new AcknowledgedPieces(Build, node.Database!, store, tokens, node.Context.Blobs, Say);
        await acknowledged.GoOnAsync(cancel);
        // It blocks for hours while nodes read.
        var text = await Task.Factory.StartNew(
            () =>
            {
                var built = new CorpusBuilder(here, store, paths.Texts)
                {
                    Step = step,
                    Found = (pieces, stop) => acknowledged.AddFoundAsync(pieces, stop).GetAwaiter().GetResult(),
                    Others = (pieces, came, stop) => ReadByNodesAsync(
                        new PieceReading(node, origin, acknowledged, store, came, Say), here, pieces, stop).GetAwaiter().GetResult(),
                }.Run(Environment.ProcessorCount, this, cancel);
                DefaultMixture.Write(built, here);
                foreach (var line in built.Report.NotReachedByUrl())
                    Say(line);
                return built;
            }, cancel, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var settings = DefaultMixture.Apply(text.CorpusOf(Plan.Corpus));
        var making = new PieceTokens(node, origin, acknowledged, tokens, Say);
        MakesTokens(making, text);
        var corpus = await Task.Run(() => node.Corpora.RunAsync(settings, this, making, cancel), cancel);
        node.Context.Blobs.Add(corpus);
        if (BuiltText.Of(settings) is { } own)
        {
            Enter("writes the table of documents");
            await MetadataTable.WriteAsync(own, corpus, settings, cancel, step);
        }
        return corpus;
    }

    void IProgress<BuildProgress>.Report(BuildProgress value)
    {
        lock (_gate)
            _pace.Add(value);
    }

    void IProgress<CorpusProgress>.Report(CorpusProgress value)
    {
        if (value.Notice is { } notice)
        {
            Say(notice);
            return;
        }
        lock (_gate)
            _pace.Add(_pace.Progress with { Documents = value.DocumentsRead, Bytes = value.BytesRead, Tokens = value.TokensWritten });
    }

    public void Dispose() => _stop.Dispose();

    private async Task ReadByNodesAsync(
        PieceReading reading, BuildManifest manifest, IReadOnlyList<SourcePiece> pieces, CancellationToken cancel)
    {
        lock (_gate)
            _reading = reading;
        await reading.RunAsync(manifest, pieces, cancel);
        lock (_gate)
            _reading = null;
    }

    // Their pace is another one than that of reading.
    private void MakesTokens(PieceTokens making, BuiltText text)
    {
        lock (_gate)
        {
            var bytes = text.Report.Kept.Sum(s => s.Bytes) - text.Report.Test.Sum(s => s.Bytes);
            var begin = new BuildProgress(0, 0, bytes) { Phase = "makes tokens", Dropped = _pace.Progress.Dropped };
            (_tokens, _pace) = (making, new BuildPace(_time));
            _pace.Add(begin);
        }
    }

    private void Enter(string phase)
    {
        lock (_gate)
            (_phase, _tokens) = (phase, null);
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
