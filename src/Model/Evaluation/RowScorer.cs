using System.Runtime.InteropServices;
using Elastic.Messages.Corpora;
using Elastic.Model.Batches;
using Elastic.Model.Training;

namespace Elastic.Model.Evaluation;

/// <summary>Consecutive tokens, of which the last ones are scored, each given those before it.</summary>
/// <param name="Tokens">
/// As elements (<see cref="SampleElement"/>). All but the last are read: at most the model's context of them.
/// </param>
/// <param name="Scored">How many of them are scored, but for those that are not counted; at least one token stands before these.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct ScoredRow(ReadOnlyMemory<int> Tokens, int Scored)
{
    /// <summary>How many cross-entropies its score is the sum of.</summary>
    public int Counted
    {
        get
        {
            var counted = 0;
            foreach (var element in Tokens.Span[^Scored..])
                counted += IsCounted(element) ? 1 : 0;
            return counted;
        }
    }

    /// <summary>Tokens that follow others, with as many of the others as the context has room for: the newest.</summary>
    /// <param name="before">At least one token.</param>
    /// <param name="scored">At least one token, at most the context.</param>
    public static ScoredRow Of(ReadOnlySpan<int> before, ReadOnlySpan<int> scored, int context)
    {
        ArgumentOutOfRangeException.ThrowIfZero(before.Length);
        ArgumentOutOfRangeException.ThrowIfZero(scored.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(scored.Length, context);
        var kept = Math.Min(before.Length, context + 1 - scored.Length);
        int[] tokens = [.. before[^kept..], .. scored];
        return new ScoredRow(tokens, scored.Length);
    }

    /// <summary>False for an element that is read and not scored.</summary>
    internal static bool IsCounted(int element) => (element & SampleElement.NotCounted) == 0;
}

/// <summary>
/// Scores rows with a causal model. Rows of about the same length go through the network together, padded behind their last target, which
/// changes no bit of a loss: where the length of a row decides what attention sees (dynamic rotary positions), it is left as it is.
/// </summary>
/// <param name="device">The model, attached to its parameters.</param>
/// <param name="fill">Any token.</param>
public sealed class RowScorer(TrainingDevice device, int fill)
{
    // Lengths are rounded up to a multiple of it, so that few shapes of network are made.
    private const int LengthStep = 64;

    /// <summary>The sum of each row's cross-entropies, nats, from its first scored token to its last.</summary>
    /// <param name="cancel">Looked at between passes through the network.</param>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public double[] Nats(IReadOnlyList<ScoredRow> rows, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var nats = new double[rows.Count];
        foreach (var alike in rows.Index().GroupBy(r => Columns(r.Item)))
        {
            foreach (var part in alike.Chunk(Math.Max(1, MicroBatchGroups.EnoughRows / alike.Key)))
            {
                cancel.ThrowIfCancellationRequested();
                var losses = device.Losses(Batch([.. part.Select(r => r.Item)], alike.Key));
                foreach (var (place, (index, row)) in part.Index())
                {
                    var count = row.Tokens.Length - 1;
                    for (var i = count - row.Scored; i < count; i++)
                        nats[index] += ScoredRow.IsCounted(row.Tokens.Span[i + 1]) ? losses[place * alike.Key + i] : 0;
                }
            }
        }
        return nats;
    }

    private int Columns(ScoredRow row)
    {
        var (architecture, tokens) = (device.Architecture, row.Tokens.Length - 1);
        var padded = Math.Min(architecture.Context, (tokens + LengthStep - 1) / LengthStep * LengthStep);
        return Math.Min(padded, Math.Max(tokens, architecture.CacheableTokens));
    }

    private MicroBatch Batch(IReadOnlyList<ScoredRow> rows, int columns)
    {
        int[] inputs = new int[rows.Count * columns], targets = new int[rows.Count * columns];
        inputs.AsSpan().Fill(fill);
        targets.AsSpan().Fill(fill);
        foreach (var (place, row) in rows.Index())
        {
            var tokens = row.Tokens.Span;
            for (var i = 0; i < tokens.Length - 1; i++)
            {
                inputs[place * columns + i] = SampleElement.TokenOf(tokens[i]);
                targets[place * columns + i] = SampleElement.TokenOf(tokens[i + 1]);
            }
        }
        return new MicroBatch(0, rows.Count, inputs, targets, targets.Length);
    }
}
