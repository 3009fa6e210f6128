using Elastic.Messages.Settings;

namespace Elastic.Messages.Nodes;

/// <summary>
/// How a node's own settings have its devices share a replica: what the memory of one depends on, besides the run's settings.
/// </summary>
/// <param name="Zero">As <c>node.zero</c>.</param>
/// <param name="Split">As <c>node.split</c>.</param>
/// <param name="Offload">As <c>node.offload</c>.</param>
/// <param name="Threads">Arithmetic threads of one CPU device; 0 where that is not known.</param>
public sealed record ReplicaSharing(int Zero, string Split, OffloadMode Offload, int Threads) : IWireMessage
{
    /// <summary>The sharing of a node that says nothing of it.</summary>
    public static ReplicaSharing Usual { get; } = new(1, $"{ReplicaSplit.None}", OffloadMode.None, 1);

    // More than any machine has.
    private const int MostThreads = 4096;

    /// <summary>What another process has said, which may say anything; <see cref="Usual"/> where it makes no sense.</summary>
    public static ReplicaSharing Checked(ReplicaSharing? said) =>
        said is { Zero: 1 or 2, Threads: >= 0 and <= MostThreads, Split: { Length: < 100 } split }
        && ReplicaSplit.TryParse(split) is not null && Enum.IsDefined(said.Offload) ? said : Usual;

    public override string ToString() =>
        $"node.zero = {Zero}, node.split = {Split} and node.offload = {Offload.ToString().ToLowerInvariant()}";
}
