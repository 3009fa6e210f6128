using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Runs;

/// <summary>What a supervisor knows of its process.</summary>
/// <param name="Fence">Keeps a stale supervisor from committing.</param>
/// <param name="Observations">What people and machines look at.</param>
internal sealed record SupervisorContext(CoordinatorSettings Settings, CommitFence Fence, Observations Observations)
{
    /// <summary>What counts of the time between two looks of a supervisor, which has several a second (<see cref="AwakeTime"/>).</summary>
    public static readonly TimeSpan MostBetweenLooks = TimeSpan.FromSeconds(2);
}
