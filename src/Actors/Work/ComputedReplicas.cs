using Elastic.Coordination;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Work;

/// <summary>This node's latest results for a run, which it need not compute again after a roll-back or a loss. Thread-safe.</summary>
internal sealed class ComputedReplicas
{
    // Enough for the replicas of two rounds on one node; each is a few hundred bytes.
    private const int MostRemembered = 64;

    private readonly Lock _gate = new();
    private readonly Queue<(Compute Order, ReplicaResult Result)> _known = new();

    public void Remember(Compute order, ReplicaResult result)
    {
        lock (_gate)
        {
            _known.Enqueue((WhatOf(order), result));
            if (_known.Count > MostRemembered)
                _known.Dequeue();
        }
    }

    /// <summary>The result of exactly this order, if its vector sets are still here.</summary>
    public ReplicaResult? Find(Compute order, BlobStore blobs)
    {
        lock (_gate)
            return _known.FirstOrDefault(k => k.Order == WhatOf(order)).Result is { } known
                && blobs.IsThere(known.Contribution) && blobs.IsThere(known.InnerState)
                ? known : null;
    }

    // No bit of the result depends on who computes it.
    private static Compute WhatOf(Compute order) => order with { Stages = [], Attempt = null };
}
