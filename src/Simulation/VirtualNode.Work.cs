using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Simulation.VirtualRun;

namespace Elastic.Simulation;

// What stands in for the executors: work done at once, on digests.
public sealed partial class VirtualNode
{
    private WorkFailed? Lacking(params IEnumerable<Digest> sets) =>
        sets.All(Fetch) ? null : new WorkFailed("a blob is missing", WorkFailure.Lost);

    private bool Fetch(Digest set)
    {
        foreach (var blob in Blobs.BlobsOf(set))
        {
            if (!Blobs.Has(blob) && !IsThere(blob))
                return false;
            Blobs.Add(blob);
        }

        return true;
    }

    // Fetches only from nodes that orders have named.
    private bool IsThere(Digest blob) => !IsCutOff && _world.HasBlob(blob, this, _sources);

    private WorkOutcome Do(WorkOrder order)
    {
        if (IsFull && order.Content is not Evaluate)
            return new WorkFailed("the disk is full", WorkFailure.Exhausted);
        if (IsBroken || _world.IsMishap())
            return new WorkFailed("something went wrong", WorkFailure.Transient);
        switch (order.Content)
        {
            case Initialize:
                var first = IsLie() ? D("a lie about version 0") : VirtualArithmetic.First;
                Blobs.Add(first);
                return new Initialized(first, D($"fingerprint {first}"));
            case Evaluate c:
                var score = VirtualArithmetic.Score(c.Version);
                return new Evaluated(IsLie() ? score with { LossNats = 0.5 } : score);
            case Compute c:
                var result = c.HandOver is { } from
                    ? VirtualArithmetic.Resume(c, from)
                    : VirtualArithmetic.Compute(c.Segment, c.Round, c.Replica, c.Version, c.InnerState);
                if (IsLie())
                    result = result with { Contribution = D($"lie {c.Round} {c.Replica} {_world.Chance.Next(3)}") };
                Blobs.Add(result.Contribution);
                Blobs.Add(result.InnerState);
                return new Computed(result, c.HandOver?.State, Math.Max(0, c.Stages.Length - 1));
            case Average c:
                if (Lacking([c.Version, .. c.Contributions.Where(d => !Blobs.Has(d) && !IsThere(d))]) is { } lacking)
                    return lacking;                                    // contributions are read from other nodes, and not stored
                var chunks = c.Chunks.Select(chunk => VirtualArithmetic.Average(
                    c.Round, chunk, c.Version, c.Contributions, c.Changes)).ToArray();
                if (IsLie())
                    chunks[0] = chunks[0] with { Parameters = D($"lie {chunks[0].Parameters}") };
                foreach (var chunk in chunks)
                    Blobs.Add(chunk.Parameters);
                return new Averaged(c.Round, AveragedChunk.Inputs(c.Version, c.Contributions), chunks);
            case Assemble c:
                if (Lacking(c.Chunks.Select(chunk => chunk.Parameters)) is { } missing)
                    return missing;
                var version = VirtualArithmetic.Version(_world.Plan, c.Chunks);
                _world.Contents[version] = [.. c.Chunks.Select(chunk => chunk.Parameters)];
                Blobs.Add(version);
                return new Assembled(c.Round, version);
            case Copy c:
                return Lacking(c.Set) ?? (WorkOutcome)new Copied(c.Set);
            case TakeCheckpoint c:
                return Lacking([c.Parameters, .. c.InnerStates]) ?? (WorkOutcome)new CheckpointWritten(new Checkpoint(
                    c.Version, c.Parameters, c.Fingerprint, c.InnerStates, c.TokensSeen, c.ChainHead, $"{c.Version}"));
            default:
                throw new InvalidOperationException($"not a piece of work: {order.Content}");
        }
    }

    private bool IsLie() => Lies && (LiesInHandOvers ? _world.Chance.Next(10) == 0 : _world.Chance.Next(3) > 0);

    // What a replica has after the steps that it has taken; null before the first one.
    private HandedOver? HandOver(Compute c, int step)
    {
        if (step == (c.HandOver?.Step ?? 0))
            return null;
        var state = VirtualArithmetic.StateAfter(c, step);
        if (LiesInHandOvers || IsLie())
            state = D($"lie {state}");
        Blobs.Add(state);
        return new HandedOver(
            new ReplicaHandOver(c.Round, c.Replica, step, state, 3.0 * step, D($"samples {c.Round} {c.Replica} {step}")),
            c.HandOver?.State);
    }
}
