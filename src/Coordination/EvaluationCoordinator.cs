using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

// Supervises an evaluation over nodes: gives the pieces of a text to nodes that may score them, again where a node is lost or slow, and
// keeps the scores until the asker has taken them. Nothing of it is stored: the asker says with each request what it has and what it wants,
// so that another supervisor goes on from there. Knows neither actors nor clocks nor files; time and chance are arguments.
public sealed class EvaluationCoordinator(RunId job, long term)
{
    // One is scored while the next one is on its way.
    private const int PiecesAhead = 1;

    // A piece takes seconds. One that takes longer waits behind the round of a run, or its node hangs: an idle node scores it, too.
    private static readonly TimeSpan SecondNode = TimeSpan.FromSeconds(10);

    // A message to or from a live node may be lost with its connection. The node reports its work every second.
    private static readonly TimeSpan InTransit = TimeSpan.FromSeconds(3);

    // What a node is asked before OpenRun has reached it, it answers by saying that the job is not open there.
    private static readonly TimeSpan BetweenOpenings = TimeSpan.FromSeconds(1);

    // So many nodes are named as sources besides the asker.
    private const int MostHolders = 3;

    private readonly WorkerHealth _health = new();
    private readonly FailureHistory _failures = new();
    private readonly SortedDictionary<int, (NodeId Node, double[] Nats)> _scores = [];
    private readonly Dictionary<NodeId, TimeSpan> _opened = [];
    private readonly List<RunOutput> _outputs = [];
    private ClusterView _view = ClusterView.Empty;
    private EvaluationRequest.Score? _asked;
    private TimeSpan _now;
    private long _orders;
    private string? _arithmetic;
    private string? _failure;
    private string? _problem;                                           // of the newest node that could not do its work

    /// <summary>The evaluation as its asker sees it: the scores of the first pieces that are wanted, as far as they are there.</summary>
    public EvaluationView Show()
    {
        var (scores, rows, next) = (new List<PieceScore>(), 0, _asked?.First ?? 0);
        while (_scores.TryGetValue(next++, out var score) && (rows == 0 || rows + score.Nats.Length <= EvaluationView.MostRows))
        {
            scores.Add(new PieceScore(score.Nats));
            rows += score.Nats.Length;
        }
        return new EvaluationView(job)
        {
            First = _asked?.First ?? 0,
            Scores = [.. scores],
            Arithmetic = _arithmetic,
            Nodes = _view.InFlight.Keys.Select(w => w.Node).Distinct().Count(),
            WaitsFor = WaitsFor(),
            Failure = _failure,
        };
    }

    /// <summary>Takes what the asker wants scored now.</summary>
    /// <returns>What is to be done, in this order.</returns>
    public IReadOnlyList<RunOutput> Ask(EvaluationRequest.Score asked, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(asked);
        _now = now;
        // One that was overtaken by a newer one asks for what the asker has.
        if (asked.First < _asked?.First || asked.Pieces.Length != asked.Rows.Length || asked.Pieces.Length > EvaluationRequest.MostPieces)
            return [];
        _asked = asked;
        _arithmetic ??= asked.Arithmetic;
        foreach (var taken in _scores.Keys.Where(p => p < asked.First).ToList())
            _scores.Remove(taken);
        foreach (var over in _view.InFlight.Keys.Where(w => !IsWanted(w.Work)).ToList())
            Drop(over.Node, over.Work);
        ReviewNodes();
        GiveOut();
        return Take();
    }

    /// <summary>Takes one input.</summary>
    /// <param name="now">Since any fixed moment; never smaller than before.</param>
    /// <param name="chance">Spreads retries. No score depends on it.</param>
    /// <returns>What is to be done, in this order.</returns>
    public IReadOnlyList<RunOutput> Step(RunInput input, TimeSpan now, Random chance)
    {
        ArgumentNullException.ThrowIfNull(chance);
        Invariant.Holds(now >= _now, $"time went back from {_now} to {now}");
        _now = now;
        switch (input)
        {
            case RunInput.Reported { Report: NodeReport.Enlist report }:
                Enlist(report);
                break;
            case RunInput.Reported { Report: NodeReport.RunUnopened report }:
                Unopened(report);
                break;
            case RunInput.Answered { Result: var result }:
                Receive(result, chance);
                break;
            case RunInput.Lost { Node: var node }:
                Forget(node);
                break;
            case RunInput.Tick:
                foreach (var work in _failures.Wake(_now))
                    _view = _view.Answered(work.Work, work.Node);
                if (_health.Recover(_now))
                    ReviewNodes();
                break;
        }
        GiveOut();
        return Take();
    }

    /// <summary>Ends the evaluation: nodes stop, and remove what they stored of it.</summary>
    public IReadOnlyList<RunOutput> End() =>
        [.. _health.Reports.Select(r => new RunOutput.Send(r.Node, new NodeCommand.DeleteRun(job)))];

    private RunOutput[] Take()
    {
        RunOutput[] outputs = [.. _outputs];
        _outputs.Clear();
        return outputs;
    }

    private bool IsWanted(WorkKey work) => _asked is { } asked && work.Kind == ScoreRowsWork.Kind.Name
        && work.Index >= asked.First && work.Index - asked.First < asked.Pieces.Length && !_scores.ContainsKey(work.Index);

    private void Enlist(NodeReport.Enlist report)
    {
        if (!_health.Knows(report))
            Forget(report.Node);
        _health.Note(report);
        Enter(report);
        if (report.Leaving)
            Send(report.Node, new NodeCommand.Release(job, report.Drains));        // what it holds of an evaluation, others need not have
        var has = report.Pieces().Where(w => w.Job == job.Job).Select(w => new InFlightWork(w.Key, report.Node)).ToHashSet();
        foreach (var (work, _) in _view.InFlight
            .Where(w => w.Key.Node == report.Node && !has.Contains(w.Key) && !_failures.IsResting(w.Key) && _now - w.Value > InTransit)
            .ToList())
            _view = _view.Answered(work.Work, work.Node);
        // Before the first request nobody knows what is wanted: another supervisor may have ordered it.
        if (_asked is null)
            return;
        foreach (var work in has)
            if (!IsWanted(work.Work))
                Drop(work.Node, work.Work);
            else if (!_view.InFlight.ContainsKey(work))
                _view = _view.Give(work.Work, work.Node, _now);
    }

    private void Unopened(NodeReport.RunUnopened report)
    {
        // No OpenRun has reached it, or it could not open the job. Answers that come while it is being told again say nothing new.
        if (report.Why is null && _opened.TryGetValue(report.Node, out var at) && _now - at < BetweenOpenings)
            return;
        _opened.Remove(report.Node);
        if (report.Why is { } why)
            Rest(report.Node, why);
    }

    private void Receive(WorkResult result, Random chance)
    {
        var work = new InFlightWork(result.Key, result.Node);
        Drop(result.Node, result.Key);                                  // acknowledges it
        if (result.Outcome is WorkFailed failed)
        {
            if (IsWanted(result.Key))
                Fail(work, failed, chance);
            return;
        }

        var isOfVersion = result.From == _asked?.Parameters && result.Key.Kind == ScoreRowsWork.Kind.Name;
        if (!isOfVersion || result.Outcome is not RowsScored { Nats: var nats })
            _outputs.Add(new RunOutput.Dropped(
                $"{result.Outcome.GetType().Name} of {result.Node}", "it answers no piece of this evaluation"));
        else if (_scores.TryGetValue(result.Key.Index, out var known))
            Compare(result, nats, known);
        else if (!IsWanted(result.Key))
            _outputs.Add(new RunOutput.Dropped($"piece {result.Key.Index} of {result.Node}", "its scores are there"));
        else if (nats.Length != _asked!.Rows[result.Key.Index - _asked.First])
            Rest(result.Node, $"it answered a piece of {_asked.Rows[result.Key.Index - _asked.First]} rows with {nats.Length} scores");
        else
        {
            _scores[result.Key.Index] = (result.Node, nats);
            _failures.Succeeded(work);
            _health.MarkHealthy(result.Node);
            _view = _view.Hold(result.Node, _asked.Parameters);
            foreach (var other in _view.RunnersOf(result.Key).ToList())
                Drop(other, result.Key);
        }
    }

    // The same work gives the same bits: one of the two machines computes wrongly, and nobody can say which.
    private void Compare(WorkResult result, double[] nats, (NodeId Node, double[] Nats) known)
    {
        if (known.Node == result.Node || nats.AsSpan().SequenceEqual(known.Nats))
            return;
        _failure ??= $"{NameOf(known.Node)} and {NameOf(result.Node)} scored the same text differently: one of them computes wrongly, or "
            + "has another arithmetic than it says; stop one of them and evaluate again";
    }

    private void Fail(InFlightWork work, WorkFailed failed, Random chance)
    {
        _problem = failed.Why;
        _failures.Note(work, failed, _now, chance.NextDouble());
        var others = _view.Workers.Any(n => n != work.Node);
        if (_failures.IsHopeless(work.Work) || (failed.Kind == WorkFailure.Permanent && !others)
            || _failures.IsTedious(work.Work, _view.Nodes.Count))
            _failure ??= failed.Why;
        else if (failed.Kind is WorkFailure.Permanent or WorkFailure.Exhausted || (others && _failures.IsStubborn(work)))
            Rest(work.Node, failed.Why);
        else
            _view = _view.Give(work.Work, work.Node, _now);             // it stays in flight while it rests
    }

    private void Rest(NodeId node, string why)
    {
        _problem = why;
        _health.MarkUnhealthy(node, why, _now);
        _view = _view.PutDown(node);
        ReviewNodes();
        _outputs.Add(new RunOutput.Notice($"{NameOf(node)} rests: {why}"));
    }

    private void Forget(NodeId node)
    {
        _health.Forget(node);
        _failures.Forget(node);
        _opened.Remove(node);
        _view = _view.Lose(node);
    }

    private void ReviewNodes()
    {
        if (_asked is not null)
            _arithmetic ??= _health.CommonArithmetic();
        foreach (var report in _health.Reports.ToList())
            Enter(report);
    }

    private void Enter(NodeReport.Enlist report) => _view = _view.Enlist(
        report.Node, report.Arithmetic == _arithmetic ? report.Devices : [], report.Seed,
        report.Leaving || _health.IsUnhealthy(report.Node));

    private void GiveOut()
    {
        if (_asked is not { } asked || _failure is not null)
            return;
        if (_arithmetic is null)
            ReviewNodes();
        foreach (var node in _view.Workers.Where(n => !_opened.ContainsKey(n)).ToList())
            Open(node, asked);
        for (var piece = asked.First; piece < asked.First + asked.Pieces.Length; piece++)
        {
            var key = ScoreRowsWork.KeyOf(piece);
            if (!IsWanted(key) || _view.IsInFlight(key))
                continue;
            if (Ready(key).FirstOrDefault() is not { Value: not null } node)
                return;
            Give(key, node, asked);
        }
        foreach (var idle in _view.Workers.Where(n => LoadOf(n) == 0).ToList())
        {
            var late = _view.InFlight.Where(w => _now - w.Value > SecondNode && IsWanted(w.Key.Work)
                && _view.RunnersOf(w.Key.Work).Count() == 1 && !_failures.IsResting(w.Key)).OrderBy(w => w.Value).ToList();
            if (late.Count > 0)
                Give(late[0].Key.Work, idle, asked);
        }
    }

    // Nodes that have room, those first that have failed least at this piece, and then those with the least to do.
    private IEnumerable<NodeId> Ready(WorkKey key) => _view.Workers
        .Where(n => LoadOf(n) < MostOf(n))
        .OrderBy(n => _failures.CountAt(key, n)).ThenBy(LoadOf).ThenBy(n => n.Value, StringComparer.Ordinal);

    private int LoadOf(NodeId node) => _view.InFlight.Keys.Count(w => w.Node == node);

    // CPU devices share a piece; each GPU has one of its own.
    private int MostOf(NodeId node) =>
        (_view.Nodes[node].Devices is var devices && devices.All(d => d.IsCpu) ? 1 : devices.Length) + PiecesAhead;

    private void Give(WorkKey key, NodeId node, EvaluationRequest.Score asked)
    {
        _view = _view.Give(key, node, _now);
        Send(node, new WorkOrder
        {
            Job = job.Job,
            Id = new OrderId(term, ++_orders),
            Key = key,
            From = asked.Parameters,
            Sources =
            [
                asked.Source, .. _view.HoldersOf(asked.Parameters).Where(n => n != node).Order(_view.Nodes.KeyComparer)
                    .Take(MostHolders).Select(n => _health.Of(n)?.Endpoint).OfType<string>(),
            ],
            Part = Part.Whole,
            Content = new ScoreRows(asked.Parameters, asked.Pieces[key.Index - asked.First]),
        });
    }

    private void Open(NodeId node, EvaluationRequest.Score asked)
    {
        _opened[node] = _now;
        var number = new OrderId(term, ++_orders);
        foreach (var (text, part) in Part.Cut(asked.Settings))
            Send(node, new NodeCommand.OpenRun(job)
            {
                Number = number,
                Settings = text,
                Corpus = asked.Corpus,
                Manifest = asked.Manifest,
                Sources = [asked.Source],
                IsEvaluation = true,
                Part = part,
            });
    }

    private void Drop(NodeId node, WorkKey work)
    {
        _view = _view.Answered(work, node);
        Send(node, new NodeCommand.DropWork(job, [work]));
    }

    private void Send(NodeId node, IWireMessage message) => _outputs.Add(new RunOutput.Send(node, message));

    private string? WaitsFor() => _failure is not null || _asked is not { Pieces.Length: > 0 } ? null
        : _view.Workers.Any() ? _view.InFlight.Values.Any(since => _now - since > SecondNode) && _scores.Count == 0
            ? "devices: nodes that are to score have work of runs first" : null
        : _problem is { } why ? $"a node that can score: {why}"
        : "a node with a device";

    private string NameOf(NodeId node) => _health.Of(node) is { } report ? $"{report.Address} ({node})" : node.Value;
}
