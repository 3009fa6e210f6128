namespace Elastic.Messages.Nodes;

/// <summary>One member, as the node that was asked sees it.</summary>
/// <param name="Status">Akka's word: "Joining", "Up", "Leaving", "Exiting", "Down" ...</param>
/// <param name="Reachable">False where its heartbeats do not come through.</param>
public sealed record ClusterMember(string Address, string[] Roles, string Status, bool Reachable) : IWireMessage;

/// <summary>The members of the cluster at one moment.</summary>
/// <param name="Leader">Address of the member that admits and removes others; null while there is none.</param>
/// <param name="Supervisor">Address of the member on which the run supervisors are; null while they are moving.</param>
/// <param name="Security">How the connections of the node that was asked are secured, in words.</param>
public sealed record ClusterMembers(ClusterMember[] Members, string? Leader, string? Supervisor, string Security) : IWireMessage;
