using System.Runtime.InteropServices;
using Elastic.Model.Batches;
using Elastic.Model.Training;

namespace Elastic.Model.Evaluation;

/// <summary>
/// Scores texts with a causal model, each token once (see <see cref="TextWindow"/>). Windows of about the same length go through the
/// network together, padded behind their last target, which changes no bit of a loss; sums are merged in the order of the text.
/// </summary>
/// <param name="device">The model, attached to its parameters.</param>
/// <param name="stride">Tokens from the beginning of a window to that of the next; at most the model's context.</param>
/// <param name="endOfText">The token before a text.</param>
public sealed class TextScorer(TrainingDevice device, int stride, int endOfText)
{
    // Lengths are rounded up to a multiple of it, so that few shapes of network are made.
    private const int LengthStep = 64;

    // Enough to find neighbours of one length among, and few enough to forget.
    private const int MostWaiting = 512;

    private readonly List<Waiting> _waiting = [];

    /// <summary>What was scored, by source. Complete after <see cref="Complete"/>.</summary>
    public ScoreSums Sums { get; } = new();

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Waiting(string Source, ReadOnlyMemory<int> Tokens, TextWindow Window, long Bytes)
    {
        public int Length(int context) => Math.Min(context, (Window.Count + LengthStep - 1) / LengthStep * LengthStep);
    }

    /// <summary>Scores a text.</summary>
    /// <param name="source">Whose sum it belongs to.</param>
    /// <param name="tokens">Its tokens, without an end of text.</param>
    /// <param name="bytes">UTF-8 bytes of the text.</param>
    public void Add(string source, ReadOnlySpan<int> tokens, long bytes)
    {
        int[] text = [endOfText, .. tokens];
        foreach (var window in TextWindow.Of(tokens.Length, device.Architecture.Context, stride))
        {
            _waiting.Add(new Waiting(source, text, window, bytes));
            bytes = 0;                                                                    // once for a text
            if (_waiting.Count == MostWaiting)
                Complete();
        }
    }

    /// <summary>Scores what waits for company.</summary>
    public void Complete()
    {
        var context = device.Architecture.Context;
        var nats = new double[_waiting.Count];
        foreach (var alike in _waiting.Index().GroupBy(w => w.Item.Length(context)))
        {
            foreach (var rows in alike.Chunk(Math.Max(1, MicroBatchGroups.EnoughRows / alike.Key)))
            {
                var losses = device.Losses(Batch([.. rows.Select(r => r.Item)], alike.Key));
                foreach (var (row, (index, waiting)) in rows.Index())
                {
                    for (var i = waiting.Window.Count - waiting.Window.Scored; i < waiting.Window.Count; i++)
                        nats[index] += losses[row * alike.Key + i];
                }
            }
        }
        foreach (var (i, waiting) in _waiting.Index())
            Sums.Merge(waiting.Source, new ScoreSum(nats[i], waiting.Window.Scored, waiting.Bytes));
        _waiting.Clear();
    }

    private MicroBatch Batch(IReadOnlyList<Waiting> rows, int columns)
    {
        int[] inputs = new int[rows.Count * columns], targets = new int[rows.Count * columns];
        inputs.AsSpan().Fill(endOfText);
        targets.AsSpan().Fill(endOfText);
        foreach (var (row, waiting) in rows.Index())
        {
            var (first, count) = (waiting.Window.First, waiting.Window.Count);
            waiting.Tokens.Span.Slice(first, count).CopyTo(inputs.AsSpan(row * columns));
            waiting.Tokens.Span.Slice(first + 1, count).CopyTo(targets.AsSpan(row * columns));
        }
        return new MicroBatch(0, rows.Count, inputs, targets, targets.Length);
    }
}
