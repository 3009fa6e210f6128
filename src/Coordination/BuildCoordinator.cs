using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Supervises the build of a corpus by nodes: pieces of its sources are read through the stages, or tokens are made of pieces of the
/// kept text, by any node that has a core for it. A piece that no node can do is the asker's: it does it itself, and says what is wrong
/// with it as it does without nodes.
/// </summary>
public sealed class BuildCoordinator(RunId job, long term, WorkKindOfBuilds kind) : PiecesCoordinator(job, term, OneIsSlow)
{
    // A piece of 256 MiB takes a minute or so, and a file that is read whole may take long: no harm is done where two nodes do it.
    private static readonly TimeSpan OneIsSlow = TimeSpan.FromMinutes(2);

    private readonly SortedDictionary<int, (NodeId Node, Digest Pack)> _done = [];
    private readonly SortedDictionary<int, string> _failed = [];
    private Dictionary<int, Digest> _wanted = [];
    private BuildRequest.Do? _asked;

    /// <summary>The build as its asker sees it: the first of the pieces that are wanted and over.</summary>
    public override BuildView Show() => new(Job)
    {
        Pieces = [.. (_asked?.Wanted ?? []).Select(ViewOf).OfType<PieceView>().Take(BuildView.MostPieces)],
        Nodes = View.InFlight.Keys.Select(w => w.Node).Distinct().Count(),
        WaitsFor = WaitsFor(),
        Refusal = null,
    };

    /// <inheritdoc/>
    public override IReadOnlyList<RunOutput> Ask(JobRequest request, TimeSpan now)
    {
        At(now);
        // One that was overtaken by a newer one asks for what the asker has.
        if (request is not BuildRequest.Do asked || asked.Number < _asked?.Number || asked.Wanted.Length != asked.Pieces.Length
            || asked.Wanted.Length > BuildRequest.MostPieces || asked.Wanted.Distinct().Count() != asked.Wanted.Length)
            return [];
        // The same request may come twice: what was lost then has perhaps been done since.
        foreach (var lost in asked.Number == _asked?.Number ? [] : asked.Lost)
            _done.Remove(lost);
        _asked = asked;
        _wanted = asked.Wanted.Zip(asked.Pieces).ToDictionary(w => w.First, w => w.Second);
        foreach (var taken in _done.Keys.Concat(_failed.Keys).Where(p => !_wanted.ContainsKey(p)).ToList())
        {
            _done.Remove(taken);
            _failed.Remove(taken);
        }
        return GoOn();
    }

    private protected override bool IsAsked => _asked is not null;

    private protected override IEnumerable<WorkKey> Wanted => _asked!.Wanted.Select(kind.KeyOf).Where(IsWanted);

    private protected override bool IsWanted(WorkKey work) => work.Kind == kind.Name && _wanted.ContainsKey(work.Index)
        && !_done.ContainsKey(work.Index) && !_failed.ContainsKey(work.Index);

    // A core is a place, whatever the node's devices are.
    private protected override IReadOnlyList<DeviceId> PlacesOf(NodeReport.Enlist report) =>
        [.. Enumerable.Range(0, Math.Clamp(report.Cores, 1, 1024)).Select(core => new DeviceId($"cpu:{core}"))];

    private protected override int PiecesAtOnce(IReadOnlyList<DeviceId> places) => places.Count;

    private protected override WorkOrder OrderFor(WorkKey key, NodeId node, OrderId id) => new()
    {
        Job = Job.Job,
        Id = id,
        Key = key,
        From = _asked!.Manifest,
        Sources = [_asked.Source],
        Part = Part.Whole,
        Content = kind.OrderOf(_wanted[key.Index], key.Index, _asked.Wanted.Min()),
    };

    private protected override IEnumerable<NodeCommand.OpenRun> Openings(OrderId number) =>
    [
        new NodeCommand.OpenRun(Job)
        {
            Number = number,
            Settings = "",
            Corpus = _asked!.Manifest,
            Manifest = _asked.Manifest,
            Sources = [_asked.Source],
            Kind = kind.Job,
            Part = Part.Whole,
        },
    ];

    private protected override void Receive(WorkResult result)
    {
        if (result.From != _asked?.Manifest || kind.PackOf(result.Outcome) is not { } pack)
            Dismiss(result, result.Outcome.GetType().Name, "it answers no piece of this build");
        else if (!IsWanted(result.Key))
            Dismiss(result, $"piece {result.Key.Index}", "it is over");
        else
        {
            _done[result.Key.Index] = (result.Node, pack);
            Succeed(result);
        }
    }

    // What is wrong with a file is wrong with it on every node; and what has failed four times, the asker does sooner.
    private protected override bool IsHopeless(WorkKey work, WorkFailed failed, bool others) =>
        failed.Kind == WorkFailure.Permanent || Failures.IsTedious(work, nodes: 1);

    private protected override void GiveUp(WorkKey work, string why) =>
        _failed[work.Index] = why.Length <= BuildView.MostReason ? why : why[..BuildView.MostReason];

    // What it has done and nobody has taken went with it.
    private protected override void Forget(NodeId node)
    {
        foreach (var gone in _done.Where(d => d.Value.Node == node).Select(d => d.Key).ToList())
            _done.Remove(gone);
        base.Forget(node);
    }

    private PieceView? ViewOf(int piece) =>
        _done.TryGetValue(piece, out var done) && Health.Of(done.Node) is { } report
            ? new PieceView(piece)
            {
                Pack = done.Pack,
                Source = report.Endpoint,
                Failure = null,
            }
            : _failed.TryGetValue(piece, out var why)
                ? new PieceView(piece) { Pack = null, Source = null, Failure = why }
                : null;

    private string? WaitsFor() => _asked is not { Wanted.Length: > 0 } || View.Workers.Any() ? null
        : Problem is { } why ? $"a node that can do pieces: {why}" : "a node";
}
