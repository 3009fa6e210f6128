using Elastic.Messages.Corpora;

namespace Elastic.Model.Evaluation;

/// <summary>The scores of texts, by source and by language. Merge in the order of the text, see <see cref="ScoreSums"/>.</summary>
public sealed class TextSums
{
    private bool _knowsLanguages;

    /// <summary>By source.</summary>
    public ScoreSums Sources { get; } = new();

    /// <summary>By language, <see cref="LanguageCode.Unknown"/> among them; null where no text says its own.</summary>
    public ScoreSums? Languages => _knowsLanguages ? Known : null;

    /// <summary>The score of all texts.</summary>
    public ScoreSum Total => Sources.Total;

    private ScoreSums Known { get; } = new();

    /// <summary>Adds the score of a row.</summary>
    /// <param name="nats">The sum of its cross-entropies.</param>
    public void Merge(TextRow row, double nats)
    {
        ArgumentNullException.ThrowIfNull(row);
        var sum = row.Sum(nats);
        Sources.Merge(row.Source, sum);
        Known.Merge(row.Language ?? LanguageCode.Unknown, sum);
        _knowsLanguages |= row.Language is not null;
    }
}
