using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>Supervises an evaluation over nodes: the pieces of a text are scored by nodes of one arithmetic.</summary>
public sealed class EvaluationCoordinator(RunId job, long term) : PiecesCoordinator(job, term, OneIsSlow)
{
    // A piece takes seconds. One that takes longer waits behind the round of a run, or its node hangs.
    private static readonly TimeSpan OneIsSlow = TimeSpan.FromSeconds(10);

    // So many nodes are named as sources besides the asker.
    private const int MostHolders = 3;

    private readonly SortedDictionary<int, (NodeId Node, double[] Nats)> _scores = [];
    private EvaluationRequest.Score? _asked;
    private string? _arithmetic;
    private string? _failure;

    /// <summary>The evaluation as its asker sees it: the scores of the first pieces that are wanted, as far as they are there.</summary>
    public override EvaluationView Show()
    {
        var (scores, rows, next) = (new List<PieceScore>(), 0, _asked?.First ?? 0);
        while (_scores.TryGetValue(next++, out var score) && (rows == 0 || rows + score.Nats.Length <= EvaluationView.MostRows))
        {
            scores.Add(new PieceScore(score.Nats));
            rows += score.Nats.Length;
        }
        return new EvaluationView(Job)
        {
            First = _asked?.First ?? 0,
            Scores = [.. scores],
            Arithmetic = _arithmetic,
            Nodes = View.InFlight.Keys.Select(w => w.Node).Distinct().Count(),
            WaitsFor = WaitsFor(),
            Failure = _failure,
        };
    }

    /// <inheritdoc/>
    public override IReadOnlyList<RunOutput> Ask(JobRequest request, TimeSpan now)
    {
        At(now);
        // One that was overtaken by a newer one asks for what the asker has.
        if (request is not EvaluationRequest.Score asked || asked.First < _asked?.First || asked.Pieces.Length != asked.Rows.Length
            || asked.Pieces.Length > EvaluationRequest.MostPieces)
            return [];
        _asked = asked;
        _arithmetic ??= asked.Arithmetic;
        foreach (var taken in _scores.Keys.Where(p => p < asked.First).ToList())
            _scores.Remove(taken);
        return GoOn();
    }

    private protected override bool IsAsked => _asked is not null;

    private protected override bool IsOver => _failure is not null;

    private protected override IEnumerable<WorkKey> Wanted =>
        Enumerable.Range(_asked!.First, _asked.Pieces.Length).Select(ScoreRowsWork.KeyOf).Where(IsWanted);

    private protected override bool IsWanted(WorkKey work) => _asked is { } asked && work.Kind == ScoreRowsWork.Kind.Name
        && work.Index >= asked.First && work.Index - asked.First < asked.Pieces.Length && !_scores.ContainsKey(work.Index);

    private protected override IReadOnlyList<DeviceId> PlacesOf(NodeReport.Enlist report) =>
        report.Arithmetic == _arithmetic ? report.Devices : [];

    // CPU devices share a piece; each GPU has one of its own.
    private protected override int PiecesAtOnce(IReadOnlyList<DeviceId> places) => places.All(d => d.IsCpu) ? 1 : places.Count;

    // Numbers of two arithmetics are never put together: what was scored, here or under an earlier supervisor, decides.
    private bool HasScores => _scores.Count > 0 || _asked is { First: > 0 };

    private bool MayChoose => _asked is not null
        && (_arithmetic is null || (!HasScores && Health.Reports.All(r => r.Arithmetic != _arithmetic || r.Devices.Length == 0)));

    private protected override void Prepare()
    {
        if (MayChoose)
            ReviewNodes();
    }

    private protected override void ReviewNodes()
    {
        if (MayChoose)
            _arithmetic = Health.CommonArithmetic() ?? _arithmetic;
        base.ReviewNodes();
    }

    private protected override WorkOrder OrderFor(WorkKey key, NodeId node, OrderId id) => new()
    {
        Job = Job.Job,
        Id = id,
        Key = key,
        From = _asked!.Parameters,
        Sources =
        [
            _asked.Source, .. View.HoldersOf(_asked.Parameters).Where(n => n != node).Order(View.Nodes.KeyComparer)
                .Take(MostHolders).Select(n => Health.Of(n)?.Endpoint).OfType<string>(),
        ],
        Part = Part.Whole,
        Content = new ScoreRows(_asked.Parameters, _asked.Pieces[key.Index - _asked.First]),
    };

    private protected override IEnumerable<NodeCommand.OpenRun> Openings(OrderId number) => Part.Cut(_asked!.Settings).Select(
        part => new NodeCommand.OpenRun(Job)
        {
            Number = number,
            Settings = part.Text,
            Corpus = _asked.Corpus,
            Manifest = _asked.Manifest,
            Sources = [_asked.Source],
            Kind = JobKind.Evaluation,
            Part = part.Part,
        });

    private protected override void Receive(WorkResult result)
    {
        var isOfVersion = result.From == _asked?.Parameters && result.Key.Kind == ScoreRowsWork.Kind.Name;
        if (!isOfVersion || result.Outcome is not RowsScored { Nats: var nats })
            Dismiss(result, result.Outcome.GetType().Name, "it answers no piece of this evaluation");
        else if (Health.Of(result.Node)?.Arithmetic is var its && its != _arithmetic)
            Dismiss(result, $"piece {result.Key.Index}", $"it has another arithmetic ({its}) than the others ({_arithmetic})");
        else if (_scores.TryGetValue(result.Key.Index, out var known))
            Compare(result, nats, known);
        else if (!IsWanted(result.Key))
            Dismiss(result, $"piece {result.Key.Index}", "its scores are there");
        else if (nats.Length != _asked!.Rows[result.Key.Index - _asked.First])
            Rest(result.Node, $"it answered a piece of {_asked.Rows[result.Key.Index - _asked.First]} rows with {nats.Length} scores");
        else
        {
            _scores[result.Key.Index] = (result.Node, nats);
            View = View.Hold(result.Node, _asked.Parameters);
            Succeed(result);
        }
    }

    private protected override void GiveUp(WorkKey work, string why) => _failure ??= why;

    // The same work gives the same bits: one of the two machines computes wrongly, and nobody can say which.
    private void Compare(WorkResult result, double[] nats, (NodeId Node, double[] Nats) known)
    {
        if (known.Node == result.Node || nats.AsSpan().SequenceEqual(known.Nats))
            return;
        _failure ??= $"{NameOf(known.Node)} and {NameOf(result.Node)} scored the same text differently: one of them computes wrongly, or "
            + "has another arithmetic than it says; stop one of them and evaluate again";
    }

    private string? WaitsFor() => _failure is not null || _asked is not { Pieces.Length: > 0 } ? null
        : View.Workers.Any() ? View.InFlight.Values.Any(since => Now - since > SecondNode) && _scores.Count == 0
            ? "devices: nodes that are to score have work of runs first" : null
        : Problem is { } why ? $"a node that can score: {why}"
        : HasScores && _arithmetic is { } its ? $"a node with a device and the arithmetic of the pieces that are scored ({its})"
        : "a node with a device";
}
