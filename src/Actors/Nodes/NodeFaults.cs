using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes;

/// <summary>Faults of the machine that a test makes up: a node cannot be told to lie from outside.</summary>
/// <param name="Contribution">Is called with a replica's vectors before its contribution is stored.</param>
/// <param name="Version">Of another build of Elastic, which is installed here.</param>
/// <param name="StepPause">That much longer takes every inner step.</param>
internal sealed record NodeFaults(Action<ReplicaVectors>? Contribution = null, string? Version = null, TimeSpan StepPause = default)
{
    public static readonly NodeFaults None = new();
}
