namespace Elastic.Torch.Tests.Cuda;

/// <summary>Made-up numbers, and the comparison of bits.</summary>
internal static class Numbers
{
    /// <summary>Of many magnitudes, of both signs; the same for a seed.</summary>
    public static float[] Some(int count, int seed, double most = 3)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(most * (2 * random.NextDouble() - 1) * Math.Pow(2, -random.Next(6))))];
    }

    public static void AssertSameBits(float[] expected, float[] actual)
        => Assert.Equal(expected.Select(BitConverter.SingleToUInt32Bits), actual.Select(BitConverter.SingleToUInt32Bits));
}
