using Elastic.Coordination;
using Elastic.Storage;

namespace Elastic.Actors.Work;

/// <summary>This node's latest results for a run, which it need not compute again after a roll-back or a loss. Thread-safe.</summary>
internal sealed class ComputedReplicas
{
    // Enough for the replicas of two rounds on one node; each is a few hundred bytes.
    private const int MostRemembered = 64;

    private readonly Lock _gate = new();
    private readonly Queue<(Compute Order, Computed Outcome)> _known = new();

    public void Remember(Compute order, Computed outcome)
    {
        lock (_gate)
        {
            _known.Enqueue((WhatOf(order), outcome));
            if (_known.Count > MostRemembered)
                _known.Dequeue();
        }
    }

    /// <summary>The outcome of exactly this order, if its vector sets are still here.</summary>
    public Computed? Find(Compute order, BlobStore blobs)
    {
        lock (_gate)
            return _known.FirstOrDefault(k => k.Order == WhatOf(order)).Outcome is { Result: var result } known
                && blobs.IsThere(result.Contribution) && blobs.IsThere(result.InnerState)
                ? known : null;
    }

    // No bit of the result depends on who computes it.
    private static Compute WhatOf(Compute order) => order with { Stages = [], Attempt = null };
}
