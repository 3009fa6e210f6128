using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Vectors;
using static Elastic.Bench.Elasticity.Control.SimulatedRun;

namespace Elastic.Bench.Elasticity.Control;

/// <summary>A node that says what nodes say: it takes work, reports steps while the time for a replica passes, and answers with made-up digests.</summary>
/// <param name="tokens">Of a replica's round.</param>
/// <param name="elements">Of the model's flat vector.</param>
/// <param name="betweenNews">How often it tells of a replica's steps.</param>
internal sealed class SimulatedNode(RunId run, NodeId id, string endpoint, int devices, long tokens, long elements, TimeSpan compute, TimeSpan betweenNews)
{
    private readonly List<(NodeCommand Command, TimeSpan Since)> _works = [];
    private readonly HashSet<Digest> _held = [];
    private readonly MessageParts _parts = new();
    private string _incarnation = "0123456789abcdef0123456789abcdef";

    public NodeId Id => id;

    /// <summary>Its heartbeat.</summary>
    public NodeReport.Enlist Enlist() => new(
        id, [.. Enumerable.Range(0, devices).Select(i => new DeviceId($"cuda:{i}"))], _incarnation, endpoint, devices == 0, "0.1.0",
        devices == 0 ? "" : "1 cuda NVIDIA H100 80GB HBM3", [.. _works.Select(w => WorkKey.Of(w.Command)).OfType<WorkKey>().Distinct().Select(k => new RunWork(run, k))], false);

    /// <summary>Another process on the same disk.</summary>
    public void BeginAnew()
    {
        _incarnation = "fedcba9876543210fedcba9876543210";
        _works.Clear();
    }

    public void Take(NodeCommand command, TimeSpan now)
    {
        switch (command)
        {
            case NodeCommand.DropWork drop:
                _works.RemoveAll(w => WorkKey.Of(w.Command) is { } key && drop.Works.Contains(key));
                break;
            case NodeCommand.OpenRun or NodeCommand.Retain:
                break;
            default:
                if (_parts.Join(command) is { } whole)
                    _works.Add((whole, now));
                break;
        }
    }

    /// <summary>What it has to say at this moment.</summary>
    public IReadOnlyList<IWireMessage> Advance(TimeSpan now)
    {
        var news = new List<IWireMessage>();
        foreach (var (command, since) in _works.Where(w => w.Since < now).ToList())
        {
            if (command is NodeCommand.RunReplica replica && now - since < compute)
            {
                if ((now - since).Ticks % betweenNews.Ticks == 0)
                    news.Add(new NodeReport.StepTaken(id, run, replica.Round, replica.Replica, (int)((now - since) / compute * 500), 3.25, 6e-4));
                continue;
            }

            _works.Remove((command, since));
            if (Answer(command) is { } answer)
                news.Add(answer);
        }

        return news;
    }

    private IWireMessage? Answer(NodeCommand command)
    {
        switch (command)
        {
            case NodeCommand.Initialize:
                return new RunCommand.FinishInitialization(run, id, Hold(D("version 0")), D("fingerprint 0"));
            case NodeCommand.Evaluate c:
                return new RunCommand.FinishEvaluation(run, id, new VersionScore(c.Version, 3.25, 1.0625));
            case NodeCommand.TakeCheckpoint c:
                return new RunCommand.FinishCheckpoint(run, id, new Checkpoint(
                    c.Version, Hold(c.Parameters), c.Fingerprint, [.. c.InnerStates.Select(Hold)], c.TokensSeen, c.Ledger, $"/var/lib/elastic/runs/{run}/checkpoints/round-{c.Version}.json"));
            case NodeCommand.RunReplica c:
                return new RunCommand.FinishReplica(run, id, new ReplicaResult(
                    c.Round, c.Replica, Hold(D($"contribution {c.Round} {c.Replica}")), Hold(D($"inner {c.Round} {c.Replica}")), tokens, 3.25, D($"samples {c.Round} {c.Replica}")));
            case NodeCommand.AverageChunks c:
                return new RunCommand.FinishChunks(run, id, c.Round, AveragedChunk.Inputs(c.Version, c.Contributions),
                    [.. c.Chunks.Select(i => new AveragedChunk(i, D($"chunk {c.Round} {i}"), D($"momentum {c.Round} {i}")))]);
            case NodeCommand.Assemble c:
                return new NodeReport.VersionHeld(id, run, c.Round, Hold(VectorSet.Version(elements, c.Chunks).Digest));
            case NodeCommand.CopySet c:
                return new NodeReport.SetHeld(id, run, c.Round, c.Copy, Hold(c.Set));
            case NodeCommand.Survey c:
                return new NodeReport.Surveyed(id, run, c.Sets, [.. c.Sets.Where(_held.Contains)], c.Part);
            default:
                throw new InvalidOperationException($"not simulated: {command}");
        }
    }

    private Digest Hold(Digest set)
    {
        _held.Add(set);
        return set;
    }
}
