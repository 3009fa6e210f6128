using Elastic.Kernels;

namespace Elastic.Model.Generation;

/// <summary>
/// What logits say of the next token: log p = z - log Σ exp(z), in nats, by the same kernels as the loss, so that no machine shows in it.
/// </summary>
public static class LogProbabilities
{
    /// <summary>The log-probability of each of these tokens.</summary>
    /// <param name="logits">(V)</param>
    public static unsafe double[] Of(ReadOnlySpan<float> logits, params ReadOnlySpan<int> tokens)
    {
        fixed (float* z = logits)
        {
            var largest = CrossEntropy.Largest(z, logits.Length);
            var (exponentials, _) = CrossEntropy.Sums(z, logits.Length, largest, keep: true, hasSmoothing: false);
            var of = new double[tokens.Length];
            for (var i = 0; i < of.Length; i++)
                of[i] = -CrossEntropy.Loss(largest, exponentials, 0, logits[tokens[i]], logits.Length, smoothing: 0);
            return of;
        }
    }

    /// <summary>The likeliest tokens, the likeliest first; of equal ones the lower number.</summary>
    /// <param name="logits">(V)</param>
    /// <param name="count">A handful: the time is count times V.</param>
    public static int[] Likeliest(ReadOnlySpan<float> logits, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        var likeliest = new List<int>(count + 1);
        for (var token = 0; token < logits.Length && count > 0; token++)
        {
            if (likeliest.Count == count && !(logits[token] > logits[likeliest[^1]]))
                continue;
            var place = likeliest.Count;
            while (place > 0 && logits[token] > logits[likeliest[place - 1]])
                place--;
            likeliest.Insert(place, token);
            if (likeliest.Count > count)
                likeliest.RemoveAt(count);
        }
        return [.. likeliest];
    }
}
