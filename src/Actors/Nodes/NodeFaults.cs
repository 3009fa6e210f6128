using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes;

/// <summary>Faults of the machine that a test makes up: a node cannot be told to lie from outside.</summary>
/// <param name="Contribution">Is called with a replica's vectors before its contribution is stored.</param>
internal sealed record NodeFaults(Action<ReplicaVectors>? Contribution = null)
{
    public static readonly NodeFaults None = new();
}
