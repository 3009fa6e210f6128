using Elastic.Foundation;

namespace Elastic.Actors;

/// <summary>What a process does in the cluster.</summary>
/// <param name="Supervises">The process is a seed: it has the database, and may supervise runs.</param>
/// <param name="Seeds">Seeds to join; none to form a cluster.</param>
/// <param name="GoesOn">At its start, the process resumes the runs that nobody stopped.</param>
/// <param name="Alone">No other process ever joins the cluster, so the process waits for none.</param>
public sealed record NodeDuty(bool Supervises, IReadOnlyList<Endpoint> Seeds, bool GoesOn, bool Alone)
{
    /// <summary><c>elastic train</c>: everything in one process, for one run.</summary>
    public static readonly NodeDuty Train = new(true, [], false, true);

    /// <summary><c>elastic seed</c>.</summary>
    public static NodeDuty Seed(params IReadOnlyList<Endpoint> others) => new(true, others, true, false);

    /// <summary><c>elastic worker</c>.</summary>
    public static NodeDuty Worker(params IReadOnlyList<Endpoint> seeds) => new(false, seeds, true, false);
}
