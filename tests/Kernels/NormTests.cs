namespace Elastic.Kernels.Tests;

// Layer norm and root mean square norm against double precision. N = (x - mean) · inverse.
public unsafe class NormTests
{
    private const double K = 4;
    private const float Epsilon = 1e-5f;

    public static TheoryData<int, bool> Cases =>
        [.. new[] { 1, 2, 15, 16, 17, 33, 64, 100, 257, 768 }.SelectMany(c => new[] { (c, true), (c, false) })];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Values_agree_with_double_precision(int columns, bool isLayerNorm)
    {
        const int rows = 5;
        using var arena = new Arena();
        float* x = arena.Random(columns, rows * columns, 2, 0.5), gain = arena.Random(1, columns, 1, 1), bias = arena.Random(2, columns);
        float* means = arena.Floats(rows), inverses = arena.Floats(rows), y = arena.Floats(rows * columns);
        var values = AllKinds.Same<float>(() =>
        {
            Forward(isLayerNorm, y, x, gain, bias, means, inverses, rows, columns);
            return [.. Arena.Read(y, rows * columns), .. Arena.Read(means, rows), .. Arena.Read(inverses, rows)];
        });
        for (var row = 0; row < rows; row++)
        {
            var exact = Row.Of(x + row * columns, columns, isLayerNorm);
            for (var j = 0; j < columns; j++)
            {
                var shift = isLayerNorm ? bias[j] : 0;
                Reference.Close(values[row * columns + j], exact.N[j] * gain[j] + shift,
                    exact.Magnitude(j) * Math.Abs(gain[j]) + Math.Abs(shift), K, $"y[{row}, {j}]");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradients_agree_with_double_precision(int columns, bool isLayerNorm)
    {
        const int parts = 3, partRows = 4, rows = parts * partRows;
        using var arena = new Arena();
        float* x = arena.Random(columns, rows * columns, 2, 0.5), dy = arena.Random(3, rows * columns),
            gain = arena.Random(1, columns, 1, 1), bias = arena.Random(2, columns), means = arena.Floats(rows),
            inverses = arena.Floats(rows), y = arena.Floats(rows * columns), dx = arena.Floats(rows * columns),
            dGain = arena.Floats(columns), dBias = arena.Floats(columns);
        Forward(isLayerNorm, y, x, gain, bias, means, inverses, rows, columns);
        var values = AllKinds.Same<float>(() =>
        {
            Backward(isLayerNorm, dx, dy, x, gain, means, inverses, rows, columns, false);
            NormGradients.Add(dGain, isLayerNorm ? dBias : null, dy, columns, x, columns, isLayerNorm ? means : null, inverses, partRows,
                parts, columns, false);
            return [.. Arena.Read(dx, rows * columns), .. Arena.Read(dGain, columns), .. Arena.Read(dBias, columns)];
        });
        double[] gains = new double[columns], gainMagnitudes = new double[columns], biases = new double[columns],
            biasMagnitudes = new double[columns];
        for (var row = 0; row < rows; row++)
        {
            var exact = Row.Of(x + row * columns, columns, isLayerNorm);
            var g = Enumerable.Range(0, columns).Select(j => (double)dy[row * columns + j] * gain[j]).ToArray();
            double a = isLayerNorm ? g.Average() : 0, b = g.Zip(exact.N, (p, q) => p * q).Average();
            var magnitudeA = g.Average(Math.Abs);
            var magnitudeB = Enumerable.Range(0, columns).Average(j => Math.Abs(g[j]) * exact.Magnitude(j));
            for (var j = 0; j < columns; j++)
            {
                Reference.Close(values[row * columns + j], exact.Inverse * (g[j] - a - exact.N[j] * b),
                    exact.Inverse * (Math.Abs(g[j]) + magnitudeA + exact.Magnitude(j) * magnitudeB), K, $"dx[{row}, {j}]");
                var d = dy[row * columns + j];
                gains[j] += d * exact.N[j];
                gainMagnitudes[j] += Math.Abs(d) * exact.Magnitude(j);
                biases[j] += d;
                biasMagnitudes[j] += Math.Abs(d);
            }
        }
        for (var j = 0; j < columns; j++)
        {
            Reference.Close(values[rows * columns + j], gains[j], gainMagnitudes[j], K, $"dGain[{j}]");
            if (isLayerNorm)
                Reference.Close(values[(rows + 1) * columns + j], biases[j], biasMagnitudes[j], K, $"dBias[{j}]");
        }
    }

    [Fact]
    public void A_large_mean_costs_no_digits_of_the_deviation()
    {
        using var arena = new Arena();
        float* x = arena.Of(10_000, 10_001, 10_002, 10_003), y = arena.Floats(4), gain = arena.Floats(4, 1), saved = arena.Floats(2);
        LayerNorm.Forward(y, 4, x, 4, gain, null, saved, saved + 1, 1, 4, 0);
        for (var i = 0; i < 4; i++)
            Assert.Equal((i - 1.5) / Math.Sqrt(1.25), y[i], 1e-6);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Cutting_rows_and_columns_changes_no_bit_and_accumulating_adds_the_finished_sum(bool isLayerNorm)
    {
        const int parts = 5, partRows = 3, rows = parts * partRows, columns = 150;
        using var arena = new Arena();
        float* x = arena.Random(7, rows * columns, 2, 0.5), dy = arena.Random(8, rows * columns), gain = arena.Random(9, columns),
            means = arena.Floats(rows), inverses = arena.Floats(rows), y = arena.Floats(rows * columns), dx = arena.Floats(rows * columns),
            dGain = arena.Floats(columns), dBias = arena.Floats(columns);
        float[] Whole(int rowCut, int columnCut)
        {
            foreach (var (from, to) in new[] { (0, rowCut), (rowCut, rows) })
            {
                Forward(isLayerNorm, y + from * columns, x + from * columns, gain, null, means + from, inverses + from, to - from, columns);
                Backward(isLayerNorm, dx + from * columns, dy + from * columns, x + from * columns, gain, means + from, inverses + from,
                    to - from, columns, false);
            }
            foreach (var (from, to) in new[] { (0, columnCut), (columnCut, columns) })
            {
                NormGradients.Add(dGain + from, dBias + from, dy + from, columns, x + from, columns, isLayerNorm ? means : null, inverses,
                    partRows, parts, to - from, false);
            }
            return [.. Arena.Read(y, rows * columns), .. Arena.Read(dx, rows * columns), .. Arena.Read(dGain, columns),
                .. Arena.Read(dBias, columns)];
        }

        var expected = Whole(0, 0);
        for (var cut = 1; cut < rows; cut++)
            Assert.Equal(expected, Whole(cut, 10 * cut - 3));

        new Span<float>(dGain, columns).Fill(0.3f);
        new Span<float>(dBias, columns).Fill(0.3f);
        new Span<float>(dx, rows * columns).Fill(0.3f);
        Backward(isLayerNorm, dx, dy, x, gain, means, inverses, rows, columns, true);
        NormGradients.Add(
            dGain, dBias, dy, columns, x, columns, isLayerNorm ? means : null, inverses, partRows, parts, columns, true);
        float[] added = [.. Arena.Read(dx, rows * columns), .. Arena.Read(dGain, columns), .. Arena.Read(dBias, columns)];
        Assert.Equal(expected.Skip(rows * columns).Select(v => 0.3f + v), added);
    }

    private static void Forward(
        bool isLayerNorm, float* y, float* x, float* gain, float* bias, float* means, float* inverses, int rows, int columns)
    {
        if (isLayerNorm)
            LayerNorm.Forward(y, columns, x, columns, gain, bias, means, inverses, rows, columns, Epsilon);
        else
            RmsNorm.Forward(y, columns, x, columns, gain, inverses, rows, columns, Epsilon);
    }

    private static void Backward(
        bool isLayerNorm, float* dx, float* dy, float* x, float* gain, float* means, float* inverses, int rows, int columns,
        bool accumulate)
    {
        if (isLayerNorm)
            LayerNorm.Backward(dx, columns, dy, columns, x, columns, gain, means, inverses, rows, columns, accumulate);
        else
            RmsNorm.Backward(dx, columns, dy, columns, x, columns, gain, inverses, rows, columns, accumulate);
    }

    // A row in double precision. The magnitude of a normalised channel is that of the two terms it is the difference of.
    private sealed record Row(double[] X, double[] N, double Mean, double Inverse)
    {
        public static Row Of(float* x, int columns, bool isLayerNorm)
        {
            var values = Arena.Read(x, columns).Select(v => (double)v).ToArray();
            var mean = isLayerNorm ? values.Average() : 0;
            var inverse = 1 / Math.Sqrt(values.Average(v => (v - mean) * (v - mean)) + Epsilon);
            return new Row(values, [.. values.Select(v => (v - mean) * inverse)], mean, inverse);
        }

        public double Magnitude(int j) => (Math.Abs(X[j]) + (Mean == 0 ? 0 : X.Average(Math.Abs))) * Inverse;
    }
}
