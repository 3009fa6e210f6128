namespace Elastic.Foundation.Tests;

public sealed class SecureRandomTests
{
    // A method that fell back to the base class would give what a seed decides, or zeros.
    [Fact]
    public void Every_way_to_draw_gives_numbers_of_their_range_that_do_not_repeat()
    {
        var (one, other) = (new SecureRandom(), new SecureRandom());
        foreach (var draw in (Func<Random, double>[])
            [
                r => r.Next(), r => r.Next(1 << 30), r => r.Next(-(1 << 30), 1 << 30), r => r.NextInt64(), r => r.NextDouble(),
                r => r.NextSingle(), r => BitConverter.ToInt64(Bytes(r, span: true)), r => BitConverter.ToInt64(Bytes(r, span: false)),
            ])
        {
            var all = Enumerable.Range(0, 100).SelectMany(_ => new[] { draw(one), draw(other) }).ToList();
            Assert.InRange(all.Distinct().Count(), 195, 200);
        }

        Assert.All(Enumerable.Range(0, 1000), _ => Assert.InRange(one.NextDouble(), 0, 1 - 1e-16));
        Assert.InRange(Enumerable.Range(0, 1000).Average(_ => one.NextDouble()), 0.4, 0.6);
        Assert.All(Enumerable.Range(0, 100), _ => Assert.InRange(one.Next(3), 0, 2));
    }

    private static byte[] Bytes(Random random, bool span)
    {
        var bytes = new byte[8];
        if (span)
            random.NextBytes(bytes.AsSpan());
        else
            random.NextBytes(bytes);
        return bytes;
    }
}
