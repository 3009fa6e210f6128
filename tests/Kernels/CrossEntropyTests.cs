namespace Elastic.Kernels.Tests;

public unsafe class CrossEntropyTests
{
    private const double K = 8;

    public static TheoryData<int, double> Cases =>
        [.. new[] { 1, 2, 15, 16, 17, 33, 100, 1023, 1024, 1025, 5000 }.SelectMany(v => new[] { (v, 0.0), (v, 0.1) })];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Losses_and_gradients_agree_with_double_precision(int vocabulary, double smoothing)
    {
        const int rows = 4;
        const double scale = 0.125;
        var padded = (vocabulary + 15) / 16 * 16;
        using var arena = new Arena();
        float* logits = arena.Random(vocabulary, rows * padded, 8), z = arena.Floats(rows * padded), weights = arena.Of(1, 0, 0.5f, 1);
        var targets = arena.Ints(0, vocabulary / 2, vocabulary - 1, vocabulary / 3);
        var losses = (double*)arena.Floats(2 * rows);
        var partLength = Math.Max(vocabulary / 3, 1);
        double[]? ofLosses = null;
        var gradients = AllKinds.Same<float>(() =>
        {
            Ranges.Copy(z, logits, rows * padded);
            CrossEntropy.Losses(z, padded, rows, vocabulary, partLength, targets, weights, smoothing, losses);
            Assert.Equal(Arena.Read(logits, rows * padded), Arena.Read(z, rows * padded));
            ofLosses = [losses[0], losses[1], losses[2], losses[3]];
            CrossEntropy.Rows(z, padded, rows, vocabulary, padded, partLength, targets, weights, smoothing, scale, losses);
            Assert.Equal(ofLosses, new[] { losses[0], losses[1], losses[2], losses[3] });
            return Arena.Read(z, rows * padded);
        });
        AllKinds.Same<double>(() =>
        {
            CrossEntropy.Losses(logits, padded, rows, vocabulary, partLength, targets, weights, smoothing, losses);
            return [losses[0], losses[1], losses[2], losses[3]];
        });
        for (var row = 0; row < rows; row++)
        {
            var exact = Arena.Read(logits + row * padded, vocabulary).Select(v => (double)v).ToArray();
            var (largest, target, weight) = (exact.Max(), targets[row], weights[row]);
            var sum = exact.Sum(v => Math.Exp(v - largest));
            var loss = largest + Math.Log(sum) - (1 - smoothing) * exact[target] - smoothing * exact.Average();
            Reference.Close(ofLosses![row], weight * loss, weight * (Math.Abs(largest) + Math.Log(vocabulary) + 8), K, "loss");
            for (var j = 0; j < padded; j++)
            {
                if (j >= vocabulary || weight == 0)
                {
                    Assert.Equal(0u, BitConverter.SingleToUInt32Bits(gradients[row * padded + j]));
                    continue;
                }
                double p = Math.Exp(exact[j] - largest) / sum, ofTarget = j == target ? 1 - smoothing : 0, shift = smoothing / vocabulary;
                // The exponent's rounding error is 16 2^-24 where logits are from -8 to 8, relative to p.
                Reference.Close(gradients[row * padded + j], scale * weight * (p - ofTarget - shift),
                    scale * weight * (2 * p + ofTarget + shift), K, $"dz[{row}, {j}]");
            }
        }
    }

    [Fact]
    public void The_parts_are_summed_by_themselves_and_folded_along_the_tree()
    {
        const int vocabulary = 2500, partLength = 1000;
        using var arena = new Arena();
        float* z = arena.Random(1, vocabulary, 8), one = arena.Floats(16);
        var target = arena.Ints(77);
        var losses = (double*)arena.Floats(2);
        CrossEntropy.Losses(z, vocabulary, 1, vocabulary, partLength, target, null, 0.1, losses);

        // As the contract says it, one element at a time.
        var largest = Arena.Read(z, vocabulary).Max();
        double[] exponentials = new double[3], logits = new double[3];
        for (var part = 0; part < 3; part++)
        {
            var (first, end) = (part * partLength, Math.Min(vocabulary, (part + 1) * partLength));
            for (; first < end; first += CrossEntropy.Block)
            {
                float[] e = new float[16], l = new float[16];
                for (var i = first; i < Math.Min(end, first + CrossEntropy.Block); i++)
                {
                    e[(i - first) % 16] += Exp(z[i] - largest);
                    l[(i - first) % 16] += z[i];
                }
                exponentials[part] += Fold(e);
                logits[part] += Fold(l);
            }
        }
        var (sum, plain) = (exponentials[0] + exponentials[1] + exponentials[2], logits[0] + logits[1] + logits[2]);
        Assert.Equal(CrossEntropy.Loss(largest, sum, plain, z[77], vocabulary, 0.1), losses[0]);

        float Exp(float x)
        {
            var exp = Bench.ElementaryFunction.All.Single(f => f.Name == "exp or zero");
            float[] from = [.. Enumerable.Repeat(x, 16)], into = new float[16];
            exp.Apply(from, into);
            return into[0];
        }
    }

    [Fact]
    public void Logits_far_apart_are_no_trouble()
    {
        using var arena = new Arena();
        float* z = arena.Of(-3e38f, 0, 3e38f, 1);
        var losses = (double*)arena.Floats(2);
        CrossEntropy.Rows(z, 4, 1, 4, 4, 4, arena.Ints(2), null, 0, 1, losses);
        Assert.Equal(0, losses[0]);
        Assert.Equal([0, 0, 0, 0], Arena.Read(z, 4));
    }

    [Fact]
    public void A_logit_that_is_not_a_number_shows_in_the_loss()
    {
        foreach (var at in new[] { 0, 5, 16, 30 })
        {
            using var arena = new Arena();
            var z = arena.Random(1, 31);
            z[at] = float.NaN;
            var losses = (double*)arena.Floats(2);
            Assert.Equal([true], AllKinds.Same<bool>(() =>
            {
                CrossEntropy.Losses(z, 31, 1, 31, 31, arena.Ints(2), null, 0, losses);
                return [double.IsNaN(losses[0])];
            }));
        }
    }

    private static float Fold(float[] s)
    {
        for (var half = 8; half > 0; half /= 2)
        {
            for (var i = 0; i < half; i++)
                s[i] += s[i + half];
        }
        return s[0];
    }
}
