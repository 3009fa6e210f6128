namespace Elastic.Kernels.Tests;

public unsafe class ActivationTests
{
    private const double K = 4;

    private static readonly int[] Sizes = [1, 15, 16, 17, 33, 1000];

    [Fact]
    public void Gelu_with_tanh_and_its_gradient_agree_with_double_precision()
    {
        const double c = 0.79788456080286536, k = 0.044715;
        Agrees<GeluTanh>(
            x => x / 2 * (1 + Math.Tanh(c * (x + k * x * x * x))),
            x =>
            {
                var t = Math.Tanh(c * (x + k * x * x * x));
                return (1 + t) / 2 + x / 2 * (1 - t * t) * c * (1 + 3 * k * x * x);
            });
    }

    [Fact]
    public void Gelu_with_erf_and_its_gradient_agree_with_double_precision()
    {
        static double Normal(double x) => (1 + Bench.ErfReference.Erf(x / Math.Sqrt(2))) / 2;
        Agrees<GeluErf>(x => x * Normal(x), x => Normal(x) + x * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI));
    }

    [Fact]
    public void Silu_and_its_gradient_agree_with_double_precision()
    {
        static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
        Agrees<Silu>(x => x * Sigmoid(x), x => Sigmoid(x) * (1 + x * (1 - Sigmoid(x))));
    }

    [Fact]
    public void Relu_and_its_gradient_are_exact_and_keep_what_is_not_a_number()
    {
        Agrees<Relu>(x => Math.Max(x, 0), x => x > 0 ? 1 : 0);
        using var arena = new Arena();
        float* x = arena.Of(float.NaN, -1), y = arena.Floats(2);
        Activations.Forward<Relu>(y, x, 2);
        Assert.Equal([float.NaN, 0], Arena.Read(y, 2));
    }

    [Fact]
    public void Activations_of_numbers_far_out_are_finite()
    {
        using var arena = new Arena();
        float* x = arena.Of(-1e11f, -1000, -100, -88, 88, 100, 1000, 1e11f), y = arena.Floats(8), ones = arena.Floats(8, 1);
        foreach (var value in All<GeluTanh>().Concat(All<GeluErf>()).Concat(All<Silu>()).Concat(All<Relu>()))
            Assert.True(float.IsFinite(value));

        float[] All<TActivation>()
            where TActivation : struct, IActivation
        {
            Activations.Forward<TActivation>(y, x, 8);
            Assert.Equal([88, 100, 1000, 1e11f], Arena.Read(y + 4, 4));
            var values = Arena.Read(y, 8);
            Activations.Backward<TActivation>(y, ones, x, 8);
            return [.. values, .. Arena.Read(y, 8)];
        }
    }

    [Fact]
    public void SwiGlu_and_its_gradients_agree_with_double_precision()
    {
        const int rows = 3;
        foreach (var columns in Sizes)
        {
            using var arena = new Arena();
            // Gate and up lie side by side, as one product makes them.
            float* both = arena.Random(1, rows * 2 * columns, 4), dy = arena.Random(2, rows * columns), y = arena.Floats(rows * columns),
                dBoth = arena.Floats(rows * 2 * columns);
            var values = AllKinds.Same<float>(() =>
            {
                Activations.SwiGlu(y, columns, both, 2 * columns, both + columns, 2 * columns, rows, columns);
                Activations.SwiGluBackward(dBoth, 2 * columns, dBoth + columns, 2 * columns, dy, columns, both, 2 * columns, both + columns,
                    2 * columns, rows, columns);
                return [.. Arena.Read(y, rows * columns), .. Arena.Read(dBoth, rows * 2 * columns)];
            });
            for (var i = 0; i < rows * columns; i++)
            {
                var (row, j) = (i / columns, i % columns);
                double g = both[row * 2 * columns + j], u = both[row * 2 * columns + columns + j], s = 1 / (1 + Math.Exp(-g)), d = dy[i];
                Reference.Close(values[i], g * s * u, Math.Abs(g * s * u), K, "y");
                Reference.Close(values[rows * columns + row * 2 * columns + j], d * u * s * (1 + g * (1 - s)),
                    Math.Abs(d * u * s) * (1 + Math.Abs(g * (1 - s))), K, "dGate");
                Reference.Close(
                    values[rows * columns + row * 2 * columns + columns + j], d * g * s, Math.Abs(d * g * s), K, "dUp");
            }
        }
    }

    private static void Agrees<TActivation>(Func<double, double> value, Func<double, double> slope)
        where TActivation : struct, IActivation
    {
        foreach (var count in Sizes)
        {
            using var arena = new Arena();
            float* x = arena.Random(count, count, 6), dy = arena.Random(2, count), y = arena.Floats(count), dx = arena.Floats(count);
            var values = AllKinds.Same<float>(() =>
            {
                Activations.Forward<TActivation>(y, x, count);
                Activations.Backward<TActivation>(dx, dy, x, count);
                return [.. Arena.Read(y, count), .. Arena.Read(dx, count)];
            });
            for (var i = 0; i < count; i++)
            {
                // Values are sums of x/2 and x/2 times a number up to 1; slopes of 1 and x times a density.
                Reference.Close(values[i], value(x[i]), Math.Abs(x[i]), K, $"f({x[i]})");
                Reference.Close(values[count + i], dy[i] * slope(x[i]), Math.Abs(dy[i]) * (1 + Math.Abs(x[i])), K, $"f'({x[i]})");
            }
            var cut = count / 3;
            Activations.Forward<TActivation>(y, x, cut);
            Activations.Forward<TActivation>(y + cut, x + cut, count - cut);
            Assert.Equal(values[..count], Arena.Read(y, count));
        }
    }
}
