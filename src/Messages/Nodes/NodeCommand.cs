using Elastic.Foundation;
using Elastic.Messages.Work;

namespace Elastic.Messages.Nodes;

/// <summary>What work belongs to.</summary>
public enum JobKind
{
    /// <summary>A run.</summary>
    Run,

    /// <summary>An evaluation of one.</summary>
    Evaluation,

    /// <summary>
    /// The build of a corpus, which reads sources: it has a manifest and neither settings nor a corpus of its own.
    /// </summary>
    Build,

    /// <summary>The build of a corpus, which makes tokens of what was kept: its manifest is the tokenizer.</summary>
    Tokens,
}

/// <summary>What a supervisor tells a node about a run, besides the work that it orders.</summary>
public abstract record NodeCommand(RunId RunId) : ISaidBySeed
{
    /// <summary>The first command about a run: tells the node what the run is.</summary>
    public sealed record OpenRun(RunId RunId) : NodeCommand(RunId)
    {
        /// <summary>Names this command: parts of two are never put together.</summary>
        public required OrderId Number { get; init; }

        /// <summary>Canonical text of the training settings, or one part of it: it may name thousands of files. A build has none.</summary>
        public required string Settings { get; init; }

        /// <summary>The corpus; of a build, what its manifest is called: <see cref="Manifest"/>.</summary>
        public required Digest Corpus { get; init; }

        /// <summary>SHA-256 of the corpus's manifest file, by which a node without the corpus fetches it; of a build, of its own.</summary>
        public required Digest? Manifest { get; init; }

        /// <summary>Data planes ("host:port") of nodes that may have the corpus.</summary>
        public required string[] Sources { get; init; }

        /// <summary>What is opened. Of all but a run, what nodes store lasts as long as they work for it.</summary>
        public JobKind Kind { get; init; }

        public required Part Part { get; init; }
    }

    /// <summary>Keep these vector sets and these checkpoints; what nothing refers to may go.</summary>
    /// <param name="Round">The round that the run is in: blobs that nodes store for it or a later one are not in the list yet, and
    /// stay.</param>
    /// <param name="Number">Names this retention: parts of two are never put together.</param>
    public sealed record Retain(RunId RunId, OrderId Number, int Round, Digest[] Sets, int[] Checkpoints, Part Part) : NodeCommand(RunId);

    /// <summary>Say which of these vector sets are intact. Answered by <see cref="NodeReport.Surveyed"/>.</summary>
    /// <param name="Number">Names this survey: an answer to an older one is ignored.</param>
    /// <param name="Thorough">Read the bytes again, even of what was found to be intact before.</param>
    public sealed record Survey(RunId RunId, OrderId Number, Digest[] Sets, Part Part, bool Thorough = false) : NodeCommand(RunId);

    /// <summary>This work is no longer needed: its result has arrived, another node was faster, or the round is over.</summary>
    public sealed record DropWork(RunId RunId, WorkKey[] Works) : NodeCommand(RunId);

    /// <summary>Stop at the next step boundary and hand over.</summary>
    public sealed record StopRun(RunId RunId) : NodeCommand(RunId);

    /// <summary>Releases a node that leaves or drains: others hold what only it held.</summary>
    /// <param name="Drains">As the node's report says.</param>
    public sealed record Release(RunId RunId, int Drains) : NodeCommand(RunId);

    /// <summary>The run was deleted: remove all that is stored of it.</summary>
    public sealed record DeleteRun(RunId RunId) : NodeCommand(RunId);

    /// <summary>The node may not compute for this run, and why.</summary>
    public sealed record Exclude(RunId RunId, string Why) : NodeCommand(RunId);
}
