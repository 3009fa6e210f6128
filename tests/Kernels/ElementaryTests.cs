namespace Elastic.Kernels.Tests;

public class ElementaryTests
{
    [Fact]
    public void The_logarithm_agrees_with_the_librarys()
    {
        for (var x = 1e-17; x < 1; x *= 1.7)
            Assert.Equal(1, Elementary.Log(x) / Math.Log(x), 1e-13);
    }

    [Fact]
    public void The_cosine_agrees_with_the_librarys_and_is_exact_at_its_ends_and_middle()
    {
        for (var i = 0; i <= 100_000; i++)
            Assert.Equal(Math.Cos(Math.PI * (i / 100_000.0)), Elementary.CosineOfPi(i / 100_000.0), 1e-14);
        Assert.Equal([1, 0, -1], new[] { 0, 0.5, 1 }.Select(Elementary.CosineOfPi));
    }
}
