namespace Elastic.Kernels.Tests.Attention;

/// <summary>Philox4x32-10 with products of 64 bits, one counter at a time.</summary>
internal static class PlainPhilox
{
    public static uint[] Words((uint A, uint B, uint C, uint D) counter, ulong key)
    {
        var (a, b, c, d) = counter;
        var (x, y) = ((uint)key, (uint)(key >> 32));
        for (var round = 0; round < 10; round++)
        {
            ulong p = 0xd2511f53UL * a, q = 0xcd9e8d57UL * c;
            (a, b, c, d) = ((uint)(q >> 32) ^ b ^ x, (uint)q, (uint)(p >> 32) ^ d ^ y, (uint)p);
            (x, y) = (x + 0x9e3779b9, y + 0xbb67ae85);
        }
        return [a, b, c, d];
    }
}
