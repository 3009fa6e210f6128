namespace Elastic.Corpus.Build;

/// <summary>
/// A stage that takes parts out of texts after all documents are known, of which what is left stays one text. It comes behind all others
/// but those that cut: signals and sketches of other stages are of the text before.
/// </summary>
public abstract class TrimmingStage : SketchingStage
{
    /// <summary>Decides about all documents at once.</summary>
    /// <param name="candidates">
    /// The training documents that the stages before have kept and that this stage applies to, in key order.
    /// </param>
    /// <param name="work">Takes what memory does not hold, and ends it.</param>
    /// <returns>
    /// The documents that lose something, and what is left of each in UTF-16 characters, in order; nothing where all of it goes.
    /// </returns>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public abstract IEnumerable<(long Number, IReadOnlyList<Range> Left)> Trim(IEnumerable<Candidate> candidates, StageWork work);

    /// <summary>Why a document goes of which this leaves nothing.</summary>
    public abstract string Reason { get; }
}
