using System.Globalization;
using Elastic.Kernels;

namespace Elastic.Model.Generation;

/// <summary>Draws the tokens of one text. The n-th draw depends on the settings, n, the logits and the text only.</summary>
public sealed class Sampler
{
    private readonly SamplingSettings _settings;
    private readonly KeyedRandom _random;
    private readonly HashSet<int> _seen;
    private readonly Dictionary<int, int> _drawn = [];
    private ulong _draws;

    /// <param name="prompt">The text before the first draw.</param>
    public Sampler(SamplingSettings settings, IEnumerable<int> prompt)
    {
        ArgumentNullException.ThrowIfNull(settings);
        _settings = settings;
        _seen = [.. prompt];
        _random = KeyedRandom.Of(
            settings.Seed, settings.Sample == 0 ? "sampling" : string.Create(CultureInfo.InvariantCulture, $"sampling {settings.Sample}"));
    }

    /// <summary>The next token of the text.</summary>
    /// <param name="logits">(V)</param>
    public int Draw(ReadOnlySpan<float> logits)
    {
        var token = Choose(Penalized(logits), _random.Uniform(_draws++), _settings);
        _seen.Add(token);
        _drawn[token] = _drawn.GetValueOrDefault(token) + 1;
        return token;
    }

    /// <summary>
    /// The token at <paramref name="uniform"/>, 0 to 1, of the distribution that temperature, top-k and top-p leave of the logits.
    /// </summary>
    public static int Choose(ReadOnlySpan<float> logits, double uniform, SamplingSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.Temperature <= 0)
            return Likeliest(logits);
        var order = LikeliestFirst(logits);
        var count = settings.TopK > 0 ? Math.Min(settings.TopK, order.Length) : order.Length;
        var weights = new double[count];
        var total = 0.0;
        for (var i = 0; i < count; i++)
            total += weights[i] = Elementary.Exp((logits[order[i]] - logits[order[0]]) / settings.Temperature);
        if (settings.TopP < 1)
        {
            var (kept, share) = (0, 0.0);
            while (kept < count && share < settings.TopP * total)
                share += weights[kept++];
            (count, total) = (Math.Max(1, kept), kept > 0 ? share : weights[0]);
        }
        var mark = uniform * total;
        for (var i = 0; i < count - 1; i++)
        {
            mark -= weights[i];
            if (mark < 0)
                return order[i];
        }
        return order[count - 1];
    }

    private ReadOnlySpan<float> Penalized(ReadOnlySpan<float> logits)
    {
        var (θ, frequency, presence) = (_settings.RepetitionPenalty, _settings.FrequencyPenalty, _settings.PresencePenalty);
        if (θ == 1 && frequency == 0 && presence == 0)
            return logits;
        var z = logits.ToArray();
        foreach (var token in _seen.Where(t => t < z.Length))
            z[token] = (float)(z[token] > 0 ? z[token] / θ : z[token] * θ);
        foreach (var (token, count) in _drawn)
            z[token] = (float)(z[token] - frequency * count - presence);
        return z;
    }

    private static int Likeliest(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best])
                best = i;
        }
        return best;
    }

    // Equal ones by number. Three stable passes over eleven bits each: a tenth of the time of a sort by comparison.
    private static int[] LikeliestFirst(ReadOnlySpan<float> logits)
    {
        const int Bits = 11, Buckets = 1 << Bits;
        var keys = new uint[logits.Length];
        int[] order = new int[keys.Length], next = new int[keys.Length];
        for (var i = 0; i < keys.Length; i++)
        {
            order[i] = i;
            // Descending: a larger float has the smaller key. Adding 0 makes -0 a 0.
            var bits = BitConverter.SingleToUInt32Bits(logits[i] + 0f);
            keys[i] = (bits & 0x8000_0000) == 0 ? 0x7fff_ffff - bits : bits;
        }
        Span<int> starts = stackalloc int[Buckets + 1];
        for (var shift = 0; shift < 32; shift += Bits)
        {
            starts.Clear();
            foreach (var key in keys)
                starts[(int)(key >> shift & Buckets - 1) + 1]++;
            for (var i = 1; i < Buckets; i++)
                starts[i] += starts[i - 1];
            foreach (var i in order)
                next[starts[(int)(keys[i] >> shift & Buckets - 1)]++] = i;
            (order, next) = (next, order);
        }
        return order;
    }
}
