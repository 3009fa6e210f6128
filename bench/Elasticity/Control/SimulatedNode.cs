using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
using static Elastic.Bench.Elasticity.Control.SimulatedRun;

namespace Elastic.Bench.Elasticity.Control;

/// <summary>
/// A node that says what nodes say: the shipped <see cref="NodeCoordinator"/>, which reports steps while the time for a replica passes, and
/// answers with made-up digests.
/// </summary>
/// <param name="tokens">Of a replica's round.</param>
/// <param name="elements">Of the model's flat vector.</param>
/// <param name="betweenNews">How often it tells of a replica's steps.</param>
internal sealed class SimulatedNode(
    RunId run, NodeId id, string endpoint, int devices, long tokens, long elements, TimeSpan compute, TimeSpan betweenNews)
{
    private readonly Dictionary<int, (WorkOrder Order, TimeSpan Since)> _works = [];
    private readonly HashSet<Digest> _held = [];
    private readonly List<IWireMessage> _says = [];
    private NodeCoordinator? _coordinator;
    private TimeSpan _now;

    public NodeId Id => id;

    /// <summary>A process begins; where it is not the first, on the same disk.</summary>
    public void Begin()
    {
        _works.Clear();
        _coordinator = new NodeCoordinator(new NodeFacts
        {
            Id = id,
            Incarnation = Guid.NewGuid().ToString("N"),
            Address = endpoint.Replace(":40", ":50", StringComparison.Ordinal),
            Endpoint = endpoint,
            Seed = devices == 0,
            Version = "0.1.0",
            Arithmetic = devices == 0 ? "" : "1 cuda NVIDIA H100 80GB HBM3",
        });
        Step(new NodeInput.HasDevices([.. Enumerable.Range(0, devices).Select(i => new DeviceId($"cuda:{i}"))]));
    }

    public void Beat() => Step(new NodeInput.Beat());

    public void Take(IWireMessage message, TimeSpan now)
    {
        _now = now;
        Step(message switch
        {
            WorkOrder order => new NodeInput.Ordered(order),
            NodeCommand command => new NodeInput.Commanded(command),
            _ => throw new InvalidOperationException($"not for a node: {message}"),
        });
    }

    public void Advance(TimeSpan now)
    {
        _now = now;
        foreach (var (work, (order, since)) in _works.Where(w => w.Value.Since < now).ToList())
        {
            if (order.Content is Compute replica && now - since < compute)
            {
                if ((now - since).Ticks % betweenNews.Ticks == 0)
                    _says.Add(new NodeReport.StepTaken(
                        id, run, replica.Round, replica.Replica, (int)((now - since) / compute * 500), 3.25, 6e-4));
                continue;
            }

            _works.Remove(work);
            Step(new NodeInput.Ended(work, OutcomeOf(order.Content)));
        }
    }

    /// <summary>What it has said since the last call.</summary>
    public IReadOnlyList<IWireMessage> TakeOutbox()
    {
        IWireMessage[] says = [.. _says];
        _says.Clear();
        return says;
    }

    private void Step(NodeInput input)
    {
        foreach (var output in _coordinator!.Step(input))
            Carry(output);
    }

    private void Carry(NodeOutput output)
    {
        switch (output)
        {
            case NodeOutput.Send send:
                _says.Add(send.Message);
                break;
            case NodeOutput.Open { Command: var open }:
                Step(new NodeInput.Opened(open.RunId, 1, null));
                break;
            case NodeOutput.Start start:
                _works[start.Work] = (start.Order, _now);
                break;
            case NodeOutput.Stop { Work: var work } when _works.Remove(work):
                Step(new NodeInput.Ended(work, null));
                break;
            case NodeOutput.Abandon { Work: var work } when _works.Remove(work):
                Step(new NodeInput.Ended(work, null));
                break;
            case NodeOutput.Survey { Command: var c }:
                _says.Add(new NodeReport.Surveyed(id, run, c.Number, c.Sets, [.. c.Sets.Where(_held.Contains)], c.Part));
                break;
            case NodeOutput.Reschedule:
                Step(new NodeInput.Schedule());
                break;
        }
    }

    private WorkOutcome OutcomeOf(WorkContent content)
    {
        switch (content)
        {
            case Initialize:
                return new Initialized(Hold(D("version 0")), D("fingerprint 0"));
            case Evaluate c:
                return new Evaluated(new VersionScore(c.Version, 3.25, 1.0625));
            case TakeCheckpoint c:
                return new CheckpointWritten(new Checkpoint(
                    c.Version, Hold(c.Parameters), c.Fingerprint, [.. c.InnerStates.Select(Hold)], c.TokensSeen, c.ChainHead,
                    $"/var/lib/elastic/runs/{run}/checkpoints/round-{c.Version}.json"));
            case Compute c:
                return new Computed(new ReplicaResult(
                    c.Round, c.Replica, Hold(D($"contribution {c.Round} {c.Replica}")), Hold(D($"inner {c.Round} {c.Replica}")),
                    tokens, 3.25, D($"samples {c.Round} {c.Replica}")));
            case Average c:
                return new Averaged(c.Round, AveragedChunk.Inputs(c.Version, c.Contributions),
                    [.. c.Chunks.Select(i => new AveragedChunk(i, D($"chunk {c.Round} {i}"), D($"momentum {c.Round} {i}")))]);
            case Assemble c:
                return new Assembled(c.Round, Hold(VectorSet.Version(elements, c.Chunks, null).Digest));
            case Copy c:
                return new Copied(Hold(c.Set));
            default:
                throw new InvalidOperationException($"not simulated: {content}");
        }
    }

    private Digest Hold(Digest set)
    {
        _held.Add(set);
        return set;
    }
}
