using Elastic.Foundation;

namespace Elastic.Messages.Runs;

/// <summary>What a seed asks of the supervisors about the build of a corpus by the nodes.</summary>
/// <inheritdoc cref="JobRequest"/>
public abstract record BuildRequest(RunId Job) : JobRequest(Job)
{
    /// <summary>Pieces in one request: so many are read ahead of what the asker has taken.</summary>
    public const int MostPieces = 300;

    /// <summary>Do these pieces of the build. Answered by a <see cref="BuildView"/> at once, with what is there by now.</summary>
    public sealed record Do(RunId Job) : BuildRequest(Job)
    {
        /// <summary>The kind of work that the pieces are, for as long as the job lasts: "read-piece" or "tokenize-piece".</summary>
        public required string Work { get; init; }

        public required Origin Origin { get; init; }

        /// <summary>Counts the asker's requests: an older one that comes late says nothing.</summary>
        public required long Number { get; init; }

        /// <summary>The manifest that nodes read by, or the tokenizer, as a blob.</summary>
        public required Digest Manifest { get; init; }

        /// <summary>The data plane ("host:port") that has the manifest, the pieces and what they name.</summary>
        public required string Source { get; init; }

        /// <summary>The numbers of the pieces that the asker lacks and wants next, in their order.</summary>
        public required int[] Wanted { get; init; }

        /// <summary>What each of them is, as a blob.</summary>
        public required Digest[] Pieces { get; init; }

        /// <summary>Numbers of the pieces that a view named, and that could not be fetched from where it said.</summary>
        public required int[] Lost { get; init; }
    }

    /// <summary>Nobody waits for the pieces any more. Answered by a <see cref="BuildView"/>.</summary>
    public sealed record End(RunId Job) : BuildRequest(Job);
}

/// <summary>How far the nodes are with the pieces that are wanted.</summary>
public sealed record BuildView(RunId Job) : ISaidBySeed
{
    /// <summary>Pieces that one answer names: it stays well below 64 KiB.</summary>
    public const int MostPieces = 100;

    /// <summary>Characters of a reason, at most.</summary>
    public const int MostReason = 300;

    /// <summary>The first of the pieces that are wanted and over.</summary>
    public required PieceView[] Pieces { get; init; }

    /// <summary>Nodes that have pieces to do.</summary>
    public required int Nodes { get; init; }

    /// <summary>What it waits for; null where it waits for nothing, or only for nodes that are at work.</summary>
    public required string? WaitsFor { get; init; }

    /// <summary>Why the supervisor takes no such job now; null where it does.</summary>
    public required string? Refusal { get; init; }
}

/// <summary>A piece that a node has done, or that none can do.</summary>
/// <param name="Number">The number of the piece.</param>
public sealed record PieceView(int Number) : IWireMessage
{
    /// <summary>What came of it, as a blob: texts, facts and signals of documents, or their tokens; null where nothing did.</summary>
    public required Digest? Pack { get; init; }

    /// <summary>The data plane ("host:port") that has it; null where nothing came of it.</summary>
    public required string? Source { get; init; }

    /// <summary>Why no node does it; null where one did.</summary>
    public required string? Failure { get; init; }
}
