using System.Runtime.InteropServices;
using Elastic.Model.Generation;
using Elastic.Model.Training;

namespace Elastic.Model.Evaluation;

/// <summary>How a model finds the scored tokens of a row.</summary>
/// <param name="Nats">The sum of their cross-entropies.</param>
/// <param name="IsGreedy">True where each of them is the likeliest token given those before it; of equal ones the lower number is.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct GreedyScore(double Nats, bool IsGreedy);

/// <summary>
/// Scores rows as a model writes them: token by token, with the keys and values of those before kept, so that the likeliest token is known
/// at each place. Meant for few scored tokens after many.
/// </summary>
/// <param name="device">A causal model, attached to its parameters.</param>
public sealed class GreedyScorer(TrainingDevice device)
{
    /// <summary>The score of each row. Several go through the network together, which changes no bit of a score.</summary>
    public IReadOnlyList<GreedyScore> Scores(IReadOnlyList<ScoredRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var scores = new List<GreedyScore>(rows.Count);
        while (scores.Count < rows.Count)
        {
            var (count, tokens) = (0, 0);
            while (scores.Count + count < rows.Count && (count == 0 || tokens < MicroBatchGroups.EnoughRows))
                tokens += rows[scores.Count + count++].Tokens.Length;
            scores.AddRange(Together([.. rows.Skip(scores.Count).Take(count)]));
        }
        return scores;
    }

    private GreedyScore[] Together(ScoredRow[] rows)
    {
        var scores = new GreedyScore[rows.Length];
        var states = new List<DecoderState>();
        try
        {
            foreach (var row in rows)
                states.Add(device.NewState(row.Tokens.Length - 1));
            for (var step = 0; step < rows.Max(r => r.Scored); step++)
            {
                var live = Enumerable.Range(0, rows.Length).Where(i => rows[i].Scored > step).ToList();
                device.Decode([.. live.Select(i => new DecoderInput(states[i], Unread(rows[i], step)))]);
                foreach (var i in live)
                {
                    var token = rows[i].Tokens.Span[rows[i].Tokens.Length - rows[i].Scored + step];
                    var logits = states[i].Logits;
                    var before = step == 0 ? new GreedyScore(0, true) : scores[i];
                    scores[i] = new GreedyScore(
                        before.Nats - LogProbabilities.Of(logits, token)[0],
                        before.IsGreedy && LogProbabilities.Likeliest(logits, 1)[0] == token);
                }
            }
            return scores;
        }
        finally
        {
            states.ForEach(s => s.Dispose());
        }
    }

    // First all that stands before the scored tokens, then these one by one.
    private static ReadOnlyMemory<int> Unread(ScoredRow row, int step)
    {
        var first = row.Tokens.Length - row.Scored;
        return step == 0 ? row.Tokens[..first] : row.Tokens.Slice(first + step - 1, 1);
    }
}
