using System.Globalization;

namespace Elastic.Corpus.Build;

/// <summary>
/// One step of a corpus build. It reads each document once, where it may change the text and measures what it will decide by; measurements
/// are stored, so that a build with other thresholds decides anew and reads nothing. Both are pure functions of the document and of the
/// stage's settings, for they run on any thread of any machine.
/// </summary>
public abstract class Stage
{
    /// <summary>What <see cref="Read"/> measures, in its order.</summary>
    public virtual IReadOnlyList<string> Signals => [];

    /// <summary>What its answers depend on besides its settings, a line each, e.g. the digest of a model's file.</summary>
    public virtual IReadOnlyList<string> Inputs => [];

    /// <summary>Changes the draft, or measures it.</summary>
    /// <param name="draft">The document as the stages before have left it.</param>
    /// <returns>A number for each of <see cref="Signals"/>.</returns>
    public virtual double[] Read(Draft draft) => [];

    /// <summary>Why the document is dropped, e.g. "it has 12 words, and at least 50 are wanted"; null where it stays.</summary>
    /// <param name="signals">What <see cref="Read"/> returned for it.</param>
    public virtual string? Refusal(ReadOnlySpan<double> signals) => null;
}

/// <summary>A stage that makes something of each document by which all of them are decided about together.</summary>
public abstract class SketchingStage : Stage
{
    /// <summary>Bytes that stand for a document; empty for one that has nothing to do with others.</summary>
    public abstract byte[] Sketch(Draft draft);

    /// <summary>Whether <see cref="Sketch"/> can have made it of some text: it may come from another machine.</summary>
    /// <param name="sketch">Not empty.</param>
    /// <param name="characters">UTF-16 characters of the text.</param>
    public abstract bool IsSketch(ReadOnlySpan<byte> sketch, int characters);
}

/// <summary>A stage whose decision about a document depends on others: on duplicates, for example.</summary>
public abstract class CorpusStage : SketchingStage
{
    /// <summary>Decides about all documents at once.</summary>
    /// <param name="candidates">Documents that the stages before have kept and that this stage applies to, in key order.</param>
    /// <param name="texts">The texts of all documents.</param>
    /// <param name="work">Takes what memory does not hold, and ends it.</param>
    /// <returns>The dropped ones in any order.</returns>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public abstract IEnumerable<Removal> Decide(IEnumerable<Candidate> candidates, DocumentTexts texts, StageWork work);

    /// <summary>Why a document is dropped for another one: a sentence for people.</summary>
    public virtual string Why(Removal removal) => string.Create(
        CultureInfo.InvariantCulture, $"document {removal.Match} is like it, with a similarity of {removal.Similarity:0.###}");
}

/// <summary>
/// A stage that takes parts out of texts after all documents are known. It comes last: signals and sketches of other stages are of the text
/// before.
/// </summary>
public abstract class CuttingStage : SketchingStage
{
    /// <summary>Why a document goes of which this leaves nothing.</summary>
    public abstract string Reason { get; }

    /// <summary>Decides about all documents at once.</summary>
    /// <param name="candidates">
    /// The training documents that the stages before have kept and that this stage applies to, in key order.
    /// </param>
    /// <param name="work">Takes what memory does not hold, and ends it.</param>
    /// <returns>The documents that are cut, and what is left of each in UTF-16 characters; nothing where it is dropped.</returns>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public abstract IEnumerable<(long Number, IReadOnlyList<Range> Left)> Cut(IEnumerable<Candidate> candidates, StageWork work);

    /// <summary>What stays of a text that is cut into these pieces; nothing where they are too little, or too many.</summary>
    /// <param name="pieces">In UTF-16 characters, in their order; where several stages cut, what all of them leave.</param>
    public abstract IReadOnlyList<Range> Rest(IReadOnlyList<Range> pieces);
}

/// <summary>A document that a stage compares with others.</summary>
/// <param name="Number">Its number among all documents of the build in key order, from 0.</param>
/// <param name="Sketch">See <see cref="SketchingStage.Sketch"/>.</param>
public readonly record struct Candidate(long Number, byte[] Sketch);

/// <summary>A document that is dropped because of another one.</summary>
/// <param name="Number">The dropped one.</param>
/// <param name="Match">The one that it is like.</param>
/// <param name="Similarity">How alike they are, 0 to 1.</param>
public readonly record struct Removal(long Number, long Match, double Similarity)
{
    /// <summary>The one that is kept in its place, an earlier one: the match, unless that goes itself.</summary>
    public long StandIn { get; init; } = Match;
}
