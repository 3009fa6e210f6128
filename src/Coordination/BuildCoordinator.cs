using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

// Supervises the build of a corpus by nodes: pieces of its sources are read through the stages by any node that has a core for it. A piece
// that no node can read is the asker's: it reads it itself, and says what is wrong with it as it does without nodes.
public sealed class BuildCoordinator(RunId job, long term) : PiecesCoordinator(job, term, OneIsSlow)
{
    // A piece of 256 MiB takes a minute or so, and a file that is read whole may take long: no harm is done where two nodes read it.
    private static readonly TimeSpan OneIsSlow = TimeSpan.FromMinutes(2);

    private readonly SortedDictionary<int, (NodeId Node, PieceRead Read)> _read = [];
    private readonly SortedDictionary<int, string> _failed = [];
    private Dictionary<int, Digest> _wanted = [];
    private BuildRequest.Read? _asked;

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
        if (request is not BuildRequest.Read asked || asked.Number < _asked?.Number || asked.Wanted.Length != asked.Pieces.Length
            || asked.Wanted.Length > BuildRequest.MostPieces || asked.Wanted.Distinct().Count() != asked.Wanted.Length)
            return [];
        // The same request may come twice: what was lost then has perhaps been read since.
        foreach (var lost in asked.Number == _asked?.Number ? [] : asked.Lost)
            _read.Remove(lost);
        _asked = asked;
        _wanted = asked.Wanted.Zip(asked.Pieces).ToDictionary(w => w.First, w => w.Second);
        foreach (var taken in _read.Keys.Concat(_failed.Keys).Where(p => !_wanted.ContainsKey(p)).ToList())
        {
            _read.Remove(taken);
            _failed.Remove(taken);
        }
        return GoOn();
    }

    private protected override bool IsAsked => _asked is not null;

    private protected override IEnumerable<WorkKey> Wanted => _asked!.Wanted.Select(ReadPieceWork.KeyOf).Where(IsWanted);

    private protected override bool IsWanted(WorkKey work) => work.Kind == ReadPieceWork.Kind.Name && _wanted.ContainsKey(work.Index)
        && !_read.ContainsKey(work.Index) && !_failed.ContainsKey(work.Index);

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
        Content = new ReadPiece(_wanted[key.Index], key.Index, _asked.Wanted.Min()),
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
            Kind = JobKind.Build,
            Part = Part.Whole,
        },
    ];

    private protected override void Receive(WorkResult result)
    {
        if (result.From != _asked?.Manifest || result.Outcome is not PieceRead read)
            Dismiss(result, result.Outcome.GetType().Name, "it answers no piece of this build");
        else if (!IsWanted(result.Key))
            Dismiss(result, $"piece {result.Key.Index}", "it is over");
        else
        {
            _read[result.Key.Index] = (result.Node, read);
            Succeed(result);
        }
    }

    // What is wrong with a file is wrong with it on every node; and what has failed four times, the asker does sooner.
    private protected override bool IsHopeless(WorkKey work, WorkFailed failed, bool others) =>
        failed.Kind == WorkFailure.Permanent || Failures.IsTedious(work, nodes: 1);

    private protected override void GiveUp(WorkKey work, string why) =>
        _failed[work.Index] = why.Length <= BuildView.MostReason ? why : why[..BuildView.MostReason];

    // What it has read and nobody has taken went with it.
    private protected override void Forget(NodeId node)
    {
        foreach (var gone in _read.Where(r => r.Value.Node == node).Select(r => r.Key).ToList())
            _read.Remove(gone);
        base.Forget(node);
    }

    private PieceView? ViewOf(int piece) =>
        _read.TryGetValue(piece, out var read) && Health.Of(read.Node) is { } report
            ? new PieceView(piece)
            {
                Pack = read.Read.Pack,
                Source = report.Endpoint,
                Failure = null,
            }
            : _failed.TryGetValue(piece, out var why)
                ? new PieceView(piece) { Pack = null, Source = null, Failure = why }
                : null;

    private string? WaitsFor() => _asked is not { Wanted.Length: > 0 } || View.Workers.Any() ? null
        : Problem is { } why ? $"a node that can read pieces: {why}" : "a node";
}
