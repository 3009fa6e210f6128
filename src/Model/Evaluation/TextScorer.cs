using System.Runtime.InteropServices;
using Elastic.Model.Training;

namespace Elastic.Model.Evaluation;

/// <summary>
/// Scores texts with a causal model, each token once (see <see cref="TextWindow"/>). Windows wait for others of their length, see
/// <see cref="RowScorer"/>; sums are merged in the order of the text.
/// </summary>
/// <param name="device">The model, attached to its parameters.</param>
/// <param name="stride">Tokens from the beginning of a window to that of the next; at most the model's context.</param>
/// <param name="endOfText">The token before a text.</param>
public sealed class TextScorer(TrainingDevice device, int stride, int endOfText)
{
    // Enough to find neighbours of one length among, and few enough to forget.
    private const int MostWaiting = 512;

    private readonly RowScorer _rows = new(device, endOfText);
    private readonly List<Waiting> _waiting = [];

    /// <summary>What was scored, by source. Complete after <see cref="Complete"/>.</summary>
    public ScoreSums Sums { get; } = new();

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Waiting(string Source, ScoredRow Row, long Bytes);

    /// <summary>Scores a text.</summary>
    /// <param name="source">Whose sum it belongs to.</param>
    /// <param name="tokens">Its tokens, without an end of text.</param>
    /// <param name="bytes">UTF-8 bytes of the text.</param>
    public void Add(string source, ReadOnlySpan<int> tokens, long bytes)
    {
        int[] text = [endOfText, .. tokens];
        foreach (var window in TextWindow.Of(tokens.Length, device.Architecture.Context, stride))
        {
            _waiting.Add(new Waiting(source, new ScoredRow(text.AsMemory(window.First, window.Count + 1), window.Scored), bytes));
            bytes = 0;                                                                    // once for a text
            if (_waiting.Count == MostWaiting)
                Complete();
        }
    }

    /// <summary>Scores what waits for company.</summary>
    public void Complete()
    {
        var nats = _rows.Nats([.. _waiting.Select(w => w.Row)]);
        foreach (var (i, waiting) in _waiting.Index())
            Sums.Merge(waiting.Source, new ScoreSum(nats[i], waiting.Row.Scored, waiting.Bytes));
        _waiting.Clear();
    }
}
