using Elastic.Foundation;
using Elastic.Messages.Runs;

namespace Elastic.Messages.Nodes;

/// <summary>What people ask of a node, through the supervising seed. Asking twice is safe.</summary>
/// <param name="Node">The node's address, or its id.</param>
public abstract record NodeRequest(string Node, Origin Origin) : ISaidBySeed
{
    /// <summary>Have these devices from now on.</summary>
    /// <param name="Devices">As <c>node.devices</c>.</param>
    public sealed record UseDevices(string Node, string Devices, Origin Origin) : NodeRequest(Node, Origin);

    /// <summary>Take no more work, and hand over what you have; or take work again.</summary>
    public sealed record Drain(string Node, bool Undo, Origin Origin) : NodeRequest(Node, Origin);

    /// <summary>Say what your threads and your work do.</summary>
    public sealed record ShowThreads(string Node, Origin Origin) : NodeRequest(Node, Origin);

    /// <summary>
    /// Say which files you have below a path, for the sources of a corpus. Reading them for their digests takes a while: the answer may be
    /// that there is none yet.
    /// </summary>
    /// <param name="Path">A full path, below the node's <c>node.corpus-roots</c>.</param>
    /// <param name="List">Names the list: the same is not made twice.</param>
    public sealed record ListFiles(string Node, string Path, string List, Origin Origin) : NodeRequest(Node, Origin);

    /// <summary>Delete a corpus from your disk, built or fetched.</summary>
    public sealed record DeleteCorpus(string Node, Digest Corpus, Origin Origin) : NodeRequest(Node, Origin);
}

/// <summary>The one answer to each request.</summary>
public abstract record NodeReply : ISaidBySeed
{
    /// <summary>The node has these devices.</summary>
    /// <param name="Address">The node's.</param>
    /// <param name="Notice">What the person who asked should know about it; null for nothing.</param>
    public sealed record HasDevices(string Address, DeviceId[] Devices, string? Notice) : NodeReply;

    /// <summary>What the node's threads and its work do.</summary>
    /// <param name="Address">The node's.</param>
    /// <param name="Process">The number of its process on its machine.</param>
    /// <param name="Lines">What there is to say of the node's work and its thread pool, a sentence each.</param>
    public sealed record Threads(string Address, int Process, string[] Lines, ThreadView[] Views) : NodeReply;

    /// <summary>The files that a node has.</summary>
    /// <param name="Listing">The list, as a blob; null while it is being made.</param>
    /// <param name="Endpoint">The data plane ("host:port") that has the list and the files.</param>
    public sealed record Files(Digest? Listing, string Endpoint) : NodeReply;

    /// <summary>The node has nothing of the corpus any more.</summary>
    /// <param name="Address">The node's.</param>
    /// <param name="Bytes">What it had of it; 0 for nothing.</param>
    public sealed record CorpusDeleted(string Address, long Bytes) : NodeReply;

    /// <summary>The node drains from now on, or takes work again.</summary>
    /// <param name="Address">The node's.</param>
    public sealed record Drains(string Address, bool IsDraining) : NodeReply;

    /// <summary>Not done, and why.</summary>
    public sealed record Refused(string Why) : NodeReply;
}
