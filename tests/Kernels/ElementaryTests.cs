namespace Elastic.Kernels.Tests;

public class ElementaryTests
{
    [Fact]
    public void The_logarithm_agrees_with_the_librarys()
    {
        for (var x = 1e-17; x < 1; x *= 1.7)
            Assert.Equal(1, Elementary.Log(x) / Math.Log(x), 1e-13);
        Assert.Equal([double.NegativeInfinity, double.PositiveInfinity, double.NaN, double.NaN],
            new[] { 0, double.PositiveInfinity, double.NaN, -1 }.Select(Elementary.Log));
    }

    [Fact]
    public void The_cosine_agrees_with_the_librarys_and_is_exact_at_its_ends_and_middle()
    {
        for (var i = 0; i <= 100_000; i++)
            Assert.Equal(Math.Cos(Math.PI * (i / 100_000.0)), Elementary.CosineOfPi(i / 100_000.0), 1e-14);
        Assert.Equal([1, 0, -1], new[] { 0, 0.5, 1 }.Select(Elementary.CosineOfPi));
    }

    [Fact]
    public void The_exponential_agrees_with_the_librarys()
    {
        for (var x = -708.0; x < 709; x += 0.0137)
            Assert.Equal(1, Elementary.Exp(x) / Math.Exp(x), 1e-15);
        Assert.Equal([0, 0, double.PositiveInfinity, double.NaN, 1],
            new[] { double.NegativeInfinity, -750, 711, double.NaN, 0 }.Select(Elementary.Exp));
        Assert.Equal(Math.Exp(-740), Elementary.Exp(-740), double.Epsilon);
    }

    [Theory]
    [InlineData(0.9)]
    [InlineData(0.95)]
    [InlineData(0.999)]
    [InlineData(0.99999)]
    [InlineData(10_000)]
    public void Powers_agree_with_the_librarys(double x)
    {
        for (var y = -60.0; y < 200_000; y = y * 1.3 + 1 + (y < 0 ? 20 : 0))
        {
            var exact = Math.Pow(x, y);
            if (exact is > 1e-300 and < 1e300)
                Assert.Equal(1, Elementary.Pow(x, y) / exact, 2e-15 * (1 + Math.Abs(y * Math.Log(x))));
        }
        Assert.Equal(1, Elementary.Pow(x, 0));
    }

    [Fact]
    public void Sine_and_cosine_agree_with_the_librarys()
    {
        for (var x = -1_000_000.0; x <= 1_000_000; x += 7.123)
            Agree(x);
        for (var x = 1e-12; x < 10; x *= 1.01)
            Agree(x);

        static void Agree(double x)
        {
            var (sin, cos) = Elementary.SinCos(x);
            Assert.True(Math.Abs(sin - Math.Sin(x)) <= 2.3e-16 && Math.Abs(cos - Math.Cos(x)) <= 2.3e-16, $"{x}: {sin}, {cos}");
        }
    }
}
