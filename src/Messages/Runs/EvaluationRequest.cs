using Elastic.Foundation;

namespace Elastic.Messages.Runs;

/// <summary>What a seed asks of the supervisors about an evaluation over nodes.</summary>
/// <inheritdoc cref="JobRequest"/>
public abstract record EvaluationRequest(RunId Job) : JobRequest(Job)
{
    /// <summary>Pieces in one request: so many are scored ahead of what the asker has taken.</summary>
    public const int MostPieces = 200;

    /// <summary>Score these pieces. Answered by an <see cref="EvaluationView"/> at once, with what is there by now.</summary>
    public sealed record Score(RunId Job) : EvaluationRequest(Job)
    {
        public required Origin Origin { get; init; }

        /// <summary>Canonical text of the run's settings.</summary>
        public required string Settings { get; init; }

        /// <summary>Digest of the run's corpus, which says of what vocabulary the model is.</summary>
        public required Digest Corpus { get; init; }

        /// <summary>SHA-256 of the corpus's manifest file.</summary>
        public required Digest Manifest { get; init; }

        /// <summary>Vector set of the version that is scored.</summary>
        public required Digest Parameters { get; init; }

        /// <summary>The data plane ("host:port") that has the manifest, the parameters and the pieces.</summary>
        public required string Source { get; init; }

        /// <summary>What the bits depend on besides, as an answer has said; null before the first score.</summary>
        public required string? Arithmetic { get; init; }

        /// <summary>The number of the first of the pieces: the asker has the scores of those before it.</summary>
        public required int First { get; init; }

        /// <summary>The rows of each piece, as a blob.</summary>
        public required Digest[] Pieces { get; init; }

        /// <summary>How many rows each of them has.</summary>
        public required int[] Rows { get; init; }
    }

    /// <summary>Nobody waits for the evaluation any more. Answered by an <see cref="EvaluationView"/>.</summary>
    public sealed record End(RunId Job) : EvaluationRequest(Job);
}

/// <summary>How far an evaluation is.</summary>
public sealed record EvaluationView(RunId Job) : ISaidBySeed
{
    /// <summary>Rows whose scores one answer holds, unless it holds a single piece.</summary>
    public const int MostRows = 4096;

    /// <summary>The number of the first piece in <see cref="Scores"/>.</summary>
    public required int First { get; init; }

    /// <summary>Scores of consecutive pieces.</summary>
    public required PieceScore[] Scores { get; init; }

    /// <summary>The arithmetic by which nodes score; null while there is no node with a device.</summary>
    public required string? Arithmetic { get; init; }

    /// <summary>Nodes that have pieces to score.</summary>
    public required int Nodes { get; init; }

    /// <summary>What it waits for; null where it waits for nothing, or only for nodes that score.</summary>
    public required string? WaitsFor { get; init; }

    /// <summary>Why it cannot go on; null while it can.</summary>
    public required string? Failure { get; init; }
}

/// <param name="Nats">The sum of the cross-entropies of each row of a piece.</param>
public sealed record PieceScore(double[] Nats) : IWireMessage;
