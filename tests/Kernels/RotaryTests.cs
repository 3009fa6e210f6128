namespace Elastic.Kernels.Tests;

public unsafe class RotaryTests
{
    private const double K = 2;

    [Fact]
    public void Tables_are_double_precision_rounded_once()
    {
        const int pairs = 20, count = 50;
        using var arena = new Arena();
        float* cosines = arena.Floats(count * pairs), sines = arena.Floats(count * pairs);
        var frequencies = stackalloc double[pairs];
        Rotary.InverseFrequencies(frequencies, pairs, 10_000);
        foreach (var first in new[] { 0, 1000, 900_000 })
        {
            Rotary.FillTables(cosines, sines, first, count, frequencies, pairs);
            for (var i = 0; i < count * pairs; i++)
            {
                var angle = (first + i / pairs) * frequencies[i % pairs];
                Assert.Equal(Math.Cos(angle), cosines[i], 3.1e-8);
                Assert.Equal(Math.Sin(angle), sines[i], 3.1e-8);
                Assert.Equal(Math.Pow(10_000, -(double)(i % pairs) / pairs), frequencies[i % pairs], 1e-14);
            }
        }
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(4, true)]
    [InlineData(15, false)]
    [InlineData(16, true)]
    [InlineData(17, true)]
    [InlineData(17, false)]
    [InlineData(40, true)]
    [InlineData(40, false)]
    [InlineData(64, false)]
    public void Heads_are_rotated_and_the_backward_pass_turns_them_back(int pairs, bool isHalves)
    {
        const int rows = 3, heads = 2, positions = 7;
        var layout = isHalves ? RotaryLayout.Halves : RotaryLayout.Pairs;
        int headStride = 2 * pairs + 5, rowStride = heads * headStride + 3, floats = rows * rowStride;
        using var arena = new Arena();
        float* x = arena.Random(pairs, floats), y = arena.Floats(floats), cosines = arena.Floats(positions * pairs),
            sines = arena.Floats(positions * pairs);
        var frequencies = stackalloc double[pairs];
        Rotary.InverseFrequencies(frequencies, pairs, 100);
        Rotary.FillTables(cosines, sines, 0, positions, frequencies, pairs);
        var places = arena.Ints(5, 0, 6);
        var values = AllKinds.Same<float>(() =>
        {
            Ranges.Copy(y, x, floats);
            Rotate(y, false);
            var forward = Arena.Read(y, floats);
            Ranges.Copy(y, x, floats);
            Rotate(y, true);
            return [.. forward, .. Arena.Read(y, floats)];
        });
        float[] expected = [.. Arena.Read(x, floats), .. Arena.Read(x, floats)];
        for (var i = 0; i < 2 * rows * heads * pairs; i++)
        {
            var (backward, row, head, j) = (i / (rows * heads * pairs), i / (heads * pairs) % rows, i / pairs % heads, i % pairs);
            var start = backward * floats + row * rowStride + head * headStride;
            var (first, second) = isHalves ? (start + j, start + pairs + j) : (start + 2 * j, start + 2 * j + 1);
            var angle = (backward == 1 ? -1 : 1) * places[row] * frequencies[j];
            double a = expected[first], b = expected[second];
            Reference.Close(values[first], a * Math.Cos(angle) - b * Math.Sin(angle), Math.Abs(a) + Math.Abs(b), K, $"first of {j}");
            Reference.Close(values[second], b * Math.Cos(angle) + a * Math.Sin(angle), Math.Abs(a) + Math.Abs(b), K, $"second of {j}");
            // What is left are channels between the heads, which stay.
            (expected[first], expected[second]) = (values[first], values[second]);
        }
        Assert.Equal(expected, values);

        void Rotate(float* at, bool isBackward)
            => Rotary.Rotate(at, rowStride, rows, heads, headStride, places, cosines, sines, pairs, layout, isBackward);
    }
}
