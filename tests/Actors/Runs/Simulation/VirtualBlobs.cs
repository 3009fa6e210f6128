using Elastic.Actors.Runs;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using static Elastic.Actors.Tests.Runs.RunSamples;

namespace Elastic.Actors.Tests.Runs.Simulation;

/// <summary>
/// The blobs of all nodes, and the work on them: whatever a node computes is a pure function of what it was given, as the real thing is.
/// Collects as <see cref="Elastic.Actors.Blobs.BlobStore"/> does.
/// </summary>
internal sealed class VirtualBlobs(RunPlan plan)
{
    private readonly Dictionary<Digest, Digest[]> _contents = [];        // of vector sets: their chunks
    private readonly HashSet<Digest> _there = [];
    private readonly HashSet<Digest> _fresh = [];

    /// <summary>What the ledger must be after all rounds, computed straight on, by nobody and without any accident.</summary>
    public static (Digest Ledger, Digest Version) Expected(RunPlan plan)
    {
        var (ledger, version, inner) = (Ledger.Empty, Put(null, "version 0"), new Digest?[plan.Replicas]);
        for (var round = 0; round < plan.Rounds; round++)
        {
            var results = inner.Select((state, replica) => Compute(plan, round, replica, version, state)).ToList();
            var chunks = Enumerable.Range(0, plan.Chunks).Select(c => Average(round, c, version, [.. results.Select(r => r.Contribution)]));
            version = D($"set {string.Join(' ', chunks.Select(c => c.Parameters))}");
            ledger = Ledger.Append(ledger, results.Select(Ledger.Of), version);
            inner = [.. results.Select(r => (Digest?)r.InnerState)];
        }

        return (ledger, version);
    }

    public bool IsWhole(Digest set) => _there.Contains(set) && _contents.GetValueOrDefault(set, []).All(_there.Contains);

    /// <summary>Loses one of the blobs: a disk lies, a file is deleted.</summary>
    public void Lose(Random chance)
    {
        if (_there.Count > 0)
            _there.Remove(_there.OrderBy(d => d.Hex, StringComparer.Ordinal).ElementAt(chance.Next(_there.Count)));
    }

    public void Retain(NodeCommand.Retain retain)
    {
        var keep = retain.Sets.Concat(retain.Sets.SelectMany(s => _contents.GetValueOrDefault(s, []))).ToHashSet();
        _there.RemoveWhere(blob => !keep.Contains(blob) && !_fresh.Contains(blob));
        _fresh.Clear();
    }

    /// <summary>Carries out a command; fails as a node does when a blob that it needs is not there.</summary>
    public object Do(NodeId node, NodeCommand command)
    {
        return command switch
        {
            NodeCommand.Survey c => new RunCommand.FinishSurvey(Id, c.Sets, [.. c.Sets.Where(IsWhole)]),
            NodeCommand.Initialize => Initialize(),
            NodeCommand.Evaluate c => Needs(c.Parameters) ?? new RunCommand.FinishEvaluation(Id, new VersionScore(c.Version, 9.0 - c.Version, 1)),
            NodeCommand.TakeCheckpoint c => Needs([c.Parameters, .. c.InnerStates]) ?? new RunCommand.FinishCheckpoint(
                Id, new Checkpoint(c.Version, c.Parameters, c.Fingerprint, c.InnerStates, c.TokensSeen, c.Ledger, $"{c.Version}")),
            NodeCommand.RunReplica c => Needs([c.HandOver?.State ?? c.Version, .. Optional(c.HandOver?.State ?? c.InnerState)]) ?? Finish(c),
            NodeCommand.AverageChunks c => Needs([c.Version, .. c.Contributions]) ?? new RunCommand.FinishChunks(
                Id, c.Round, [.. c.Chunks.Select(chunk => Stored(Average(c.Round, chunk, c.Version, c.Contributions)))]),
            NodeCommand.Assemble c => Needs([.. c.Chunks.Select(chunk => chunk.Parameters)]) ?? Assemble(c),
            _ => throw new InvalidOperationException($"not a piece of work: {command}"),
        };

        object? Needs(params Digest[] sets) =>
            sets.All(IsWhole) ? null : new NodeReport.WorkFailed(node, command, "a blob is missing", WorkFailure.Lost);

        RunCommand.FinishInitialization Initialize()
        {
            var version = Put(this, "version 0");
            return new RunCommand.FinishInitialization(Id, version, D($"fingerprint {version}"));
        }

        RunCommand.FinishReplica Finish(NodeCommand.RunReplica c)
        {
            var result = Compute(plan, c.Round, c.Replica, c.Version, c.InnerState);
            Add(result.Contribution);
            Add(result.InnerState);
            return new RunCommand.FinishReplica(Id, result);
        }

        NodeReport.VersionHeld Assemble(NodeCommand.Assemble c)
        {
            var version = Put(this, $"set {string.Join(' ', c.Chunks.Select(chunk => chunk.Parameters))}");
            _contents[version] = [.. c.Chunks.Select(chunk => chunk.Parameters)];
            return new NodeReport.VersionHeld(node, Id, c.Round, version, D($"fingerprint {version}"));
        }

        AveragedChunk Stored(AveragedChunk chunk)
        {
            Add(chunk.Parameters);
            return chunk;
        }
    }

    /// <summary>Stops a replica at a step boundary; null when it cannot even start.</summary>
    public RunCommand.HandOverReplica? Stop(NodeCommand.RunReplica c, int step)
    {
        if (!IsWhole(c.HandOver?.State ?? c.Version))
            return null;
        var state = Put(this, $"hand-over {c.Round} {c.Replica} {step} {c.Version} {c.InnerState}");
        return new RunCommand.HandOverReplica(Id, new ReplicaHandOver(c.Round, c.Replica, step, state, 3.0 * step, D($"samples {c.Round} {c.Replica} {step}")));
    }

    private static ReplicaResult Compute(RunPlan plan, int round, int replica, Digest version, Digest? innerState) => new(
        round, replica, D($"contribution {round} {replica} {version} {innerState}"), D($"inner {round} {replica} {version} {innerState}"),
        plan.TokensPerReplica, 9.0 - round, D($"samples {round} {replica}"));

    private static AveragedChunk Average(int round, int chunk, Digest version, Digest[] contributions) =>
        new(chunk, D($"chunk {round} {chunk} {version} {string.Join(' ', contributions)}"), null);

    private static Digest[] Optional(Digest? digest) => digest is { } d ? [d] : [];

    private static Digest Put(VirtualBlobs? blobs, string bytes)
    {
        blobs?.Add(D(bytes));
        return D(bytes);
    }

    private void Add(Digest blob)
    {
        _there.Add(blob);
        _fresh.Add(blob);
    }
}
