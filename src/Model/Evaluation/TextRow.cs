using Elastic.Messages.Corpora;

namespace Elastic.Model.Evaluation;

/// <summary>A window of a text, and whose sum its score belongs to.</summary>
/// <param name="Source">The source of the text.</param>
/// <param name="Language">Its language; null where it is not known.</param>
/// <param name="Row">What is read and scored.</param>
/// <param name="Bytes">UTF-8 bytes of the scored text, said once: by its first row that scores anything.</param>
public sealed record TextRow(string Source, string? Language, ScoredRow Row, long Bytes)
{
    /// <summary>The score of the row.</summary>
    /// <param name="nats">The sum of its cross-entropies.</param>
    public ScoreSum Sum(double nats) => new(nats, Row.Counted, Bytes);

    /// <summary>
    /// Cuts a text into rows that together score each of its elements once, but the first (see <see cref="TextWindow"/>).
    /// </summary>
    /// <param name="elements">See <see cref="SampleElement"/>. What is not counted is read and not scored.</param>
    /// <param name="bytes">UTF-8 bytes of what is scored.</param>
    /// <param name="context">Tokens that the model sees at once.</param>
    /// <param name="stride">Tokens from the beginning of a window to that of the next; at most the context.</param>
    public static IEnumerable<TextRow> Of(
        string source, string? language, ReadOnlyMemory<int> elements, long bytes, int context, int stride)
    {
        foreach (var window in TextWindow.Of(elements.Length - 1, context, stride))
        {
            var row = new ScoredRow(elements.Slice(window.First, window.Count + 1), window.Scored);
            if (row.Counted == 0)
                continue;
            yield return new TextRow(source, language, row, bytes);
            bytes = 0;
        }
    }
}
