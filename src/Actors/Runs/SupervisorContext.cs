using Elastic.Coordination;
using Elastic.Storage;

namespace Elastic.Actors.Runs;

/// <summary>What a supervisor is told about its process.</summary>
/// <param name="Fence">Keeps a stale supervisor from committing.</param>
/// <param name="Observations">Where people and machines look.</param>
internal sealed record SupervisorContext(CoordinatorSettings Settings, CommitFence Fence, Observations Observations);
