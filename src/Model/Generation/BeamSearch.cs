using Elastic.Kernels;

namespace Elastic.Model.Generation;

/// <summary>How many translations are followed at once, and how long ones are weighed.</summary>
/// <param name="Beams">K; 1 is greedy: always the likeliest token.</param>
/// <param name="LengthPenalty">α: 0 compares whole probabilities, which favours short ones; 1 nearly the mean over the tokens.</param>
public sealed record BeamSettings(int Beams = 4, double LengthPenalty = 0.6);

/// <summary>
/// Looks for the likeliest sequence with so many beams (Vaswani et al. 2017, section 6.1, whose 4 beams and α = 0.6 are the defaults). Each
/// step keeps the K best continuations of all beams together; one that ends leaves its place empty. The best of those that ended, or
/// reached the limit, by their score (Wu et al. 2016, equation 14, without its coverage):
///
///   s = log P / lp,   lp = ((5 + length) / 6)^α
///
/// The end counts as a token. Equal continuations are ordered by token, then by the place of their beam; equal scores by who ended first.
/// </summary>
/// <param name="logits">
/// Maps the tokens so far of all beams that go on, the start included, to the next one's logits; see <see cref="BeamTexts"/>.
/// </param>
public sealed class BeamSearch(Func<IReadOnlyList<int[]>, IReadOnlyList<float[]>> logits, BeamSettings settings)
{
    /// <summary>The tokens between <paramref name="start"/> and <paramref name="end"/>, at most so many.</summary>
    public IReadOnlyList<int> Find(int start, int end, int most)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.Beams, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        List<Beam> live = [new([start], 0)], ended = [];
        for (var length = 1; length <= most && live.Count > 0; length++)
        {
            var next = Continuations(live, settings.Beams - ended.Count).ToList();
            ended.AddRange(next.Where(b => b.Tokens[^1] == end));
            live = [.. next.Where(b => b.Tokens[^1] != end)];
        }
        // OrderBy is stable. What reached the limit comes after what ended.
        var best = ended.Concat(live).OrderByDescending(Score).First();
        return [.. best.Tokens.Skip(1).Where(token => token != end)];
    }

    private double Score(Beam beam) => beam.LogProbability / Elementary.Pow((5.0 + beam.Tokens.Length - 1) / 6, settings.LengthPenalty);

    // No more than K of one beam are among the K best of all.
    private IEnumerable<Beam> Continuations(IReadOnlyList<Beam> live, int most) =>
        from continuation in (
            from continuation in logits([.. live.Select(b => b.Tokens)]).SelectMany((z, parent) =>
                Best(live[parent].LogProbability, z, most).Select(best => (best.LogP, best.Token, Parent: parent)))
            orderby continuation.LogP descending, continuation.Token, continuation.Parent
            select continuation).Take(most)
        select new Beam([.. live[continuation.Parent].Tokens, continuation.Token], continuation.LogP);

    // In double precision, of functions that are the same on every machine; of equal ones the lower token comes first.
    private static (double LogP, int Token)[] Best(double beam, float[] z, int most)
    {
        var largest = (double)z.Max();
        var sum = 0.0;
        foreach (var logit in z)
            sum += Elementary.Exp(logit - largest);
        var norm = largest + Elementary.Log(sum);
        var best = new (double LogP, int Token)[Math.Min(most, z.Length)];
        var found = 0;
        for (var token = 0; token < z.Length; token++)
        {
            var logP = beam + (z[token] - norm);
            if (found == best.Length && !(logP > best[^1].LogP))
                continue;
            var at = found < best.Length ? found++ : found - 1;
            for (; at > 0 && best[at - 1].LogP < logP; at--)
                best[at] = best[at - 1];
            best[at] = (logP, token);
        }
        return best;
    }

    private sealed record Beam(int[] Tokens, double LogProbability);
}
