namespace Elastic.Kernels.Tests.Attention;

/// <summary>
/// Attention as its definition says, in double precision, one row of weights at a time. Beside each number the sum of the magnitudes of its
/// terms: what its error is measured by.
///
/// A score's error grows with S = max over j of Σ_d |q k| / sqrt(D), and the weights inherit it: their magnitudes carry the factor 1 + S.
/// </summary>
internal sealed class AttentionReference
{
    public AttentionReference(AttentionCase c)
    {
        Y = new Measured(c.Q.Length);
        (Dq, Dk, Dv) = (new Measured(c.Q.Length), new Measured(c.K.Length), new Measured(c.V.Length));
        for (var b = 0; b < c.Batch; b++)
        {
            for (var h = 0; h < c.Heads; h++)
                Head(c, b, h);
        }
    }

    public Measured Y { get; }

    public Measured Dq { get; }

    public Measured Dk { get; }

    public Measured Dv { get; }

    private void Head(AttentionCase c, int b, int h)
    {
        var scale = 1 / Math.Sqrt(c.HeadSize);
        var kept = 1 / (1 - c.Dropout);
        for (var i = 0; i < c.Queries; i++)
        {
            var visible = Enumerable.Range(0, c.Keys).Where(j => c.Sees(b, i, j)).ToArray();
            if (visible.Length == 0)
                continue;
            int q = c.QueryAt(b, i, h);
            double Score(int j) => Sum(c, d => (double)c.Q[q + d] * c.K[c.KeyAt(b, j, h) + d]) * scale;
            var scores = visible.Select(Score).ToArray();
            var spread = 1 + visible.Max(j => Sum(c, d => Math.Abs((double)c.Q[q + d] * c.K[c.KeyAt(b, j, h) + d])) * scale);
            var largest = scores.Max();
            var sum = scores.Sum(s => Math.Exp(s - largest));
            var weights = scores.Select(s => Math.Exp(s - largest) / sum).ToArray();
            var masks = visible.Select(j => c.Keeps(b, h, i, j) ? kept : 0).ToArray();

            var y = new double[c.HeadSize];
            for (var n = 0; n < visible.Length; n++)
            {
                var v = c.KeyAt(b, visible[n], h);
                for (var d = 0; d < y.Length; d++)
                {
                    y[d] += weights[n] * masks[n] * c.V[v + d];
                    Y.Add(q + d, weights[n] * masks[n] * c.V[v + d], spread * weights[n] * masks[n] * Math.Abs(c.V[v + d]));
                }
            }
            var delta = Sum(c, d => c.Dy[q + d] * y[d]);
            var ofDelta = Sum(c, d => Math.Abs(c.Dy[q + d] * y[d]));
            for (var n = 0; n < visible.Length; n++)
            {
                var at = c.KeyAt(b, visible[n], h);
                var dp = Sum(c, d => (double)c.Dy[q + d] * c.V[at + d]) * masks[n];
                var ofDp = Sum(c, d => Math.Abs((double)c.Dy[q + d] * c.V[at + d])) * masks[n];
                var (ds, ofDs) = (weights[n] * (dp - delta) * scale, weights[n] * (ofDp + ofDelta) * scale * spread);
                for (var d = 0; d < y.Length; d++)
                {
                    Dv.Add(at + d, weights[n] * masks[n] * c.Dy[q + d], spread * weights[n] * masks[n] * Math.Abs(c.Dy[q + d]));
                    Dk.Add(at + d, ds * c.Q[q + d], ofDs * Math.Abs(c.Q[q + d]));
                    Dq.Add(q + d, ds * c.K[at + d], ofDs * Math.Abs(c.K[at + d]));
                }
            }
        }
    }

    private static double Sum(AttentionCase c, Func<int, double> term)
    {
        var sum = 0.0;
        for (var d = 0; d < c.HeadSize; d++)
            sum += term(d);
        return sum;
    }
}

/// <summary>Sums, and the sums of their terms' magnitudes.</summary>
internal sealed class Measured(int count)
{
    public double[] Values { get; } = new double[count];

    public double[] Magnitudes { get; } = new double[count];

    public void Add(int at, double term, double magnitude)
    {
        Values[at] += term;
        Magnitudes[at] += magnitude;
    }

    /// <summary>The largest error in units of 2^-24 times the terms' magnitudes.</summary>
    public double LargestError(float[] actual)
        => Enumerable.Range(0, actual.Length).Max(
            i => Math.Abs(actual[i] - Values[i]) / (Magnitudes[i] * Math.Pow(2, -24) + 1e-38));
}
