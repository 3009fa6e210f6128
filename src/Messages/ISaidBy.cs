namespace Elastic.Messages;

/// <summary>
/// Marks what a node says of itself. Where nodes have certificates, such a message counts only if the key of that node has signed it.
/// </summary>
public interface ISaidByNode : IWireMessage
{
    /// <summary>The node that says it.</summary>
    NodeId Node { get; }
}

/// <summary>
/// Marks what only seeds say: orders, answers, requests about runs. Where nodes have certificates, such a message counts only if a
/// seed's key has signed it, so that a worker's certificate cannot act as a seed.
/// </summary>
#pragma warning disable CA1040 // the mark is the point
public interface ISaidBySeed : IWireMessage;
#pragma warning restore CA1040
