using Elastic.Model.Training;

namespace Elastic.Model.Evaluation;

/// <summary>
/// Scores texts with a causal model. Rows wait for others of their length, see <see cref="RowScorer"/>; sums are merged in the order of the
/// text.
/// </summary>
/// <param name="device">The model, attached to its parameters.</param>
/// <param name="fill">Any token.</param>
public sealed class TextScorer(TrainingDevice device, int fill)
{
    // Enough to find neighbours of one length among, and few enough to forget.
    private const int MostWaiting = 512;

    private readonly RowScorer _rows = new(device, fill);
    private readonly List<TextRow> _waiting = [];

    /// <summary>What was scored. Complete after <see cref="Complete"/>.</summary>
    public TextSums Sums { get; } = new();

    /// <summary>Scores a row.</summary>
    public void Add(TextRow row)
    {
        _waiting.Add(row);
        if (_waiting.Count == MostWaiting)
            Complete();
    }

    /// <summary>Scores what waits for company.</summary>
    public void Complete()
    {
        var nats = _rows.Nats([.. _waiting.Select(w => w.Row)]);
        foreach (var (i, waiting) in _waiting.Index())
            Sums.Merge(waiting, nats[i]);
        _waiting.Clear();
    }
}
