namespace Elastic.Model.Randomness;

/// <summary>
/// The inverse of the standard normal distribution: algorithm AS 241, PPND7 (Wichura 1988), good to seven digits. It needs addition,
/// multiplication, division and square root only (the logarithm of the tails is below), which IEEE 754 fixes to the bit: C libraries give
/// other last digits for log and cos on other processors.
/// </summary>
public static class Normal
{
    /// <summary>The value below which a standard normal falls with probability <paramref name="p"/>, 0 &lt; p &lt; 1.</summary>
    public static double Quantile(double p)
    {
        var q = p - 0.5;
        if (Math.Abs(q) <= 0.425)
        {
            var r = 0.180625 - q * q;
            return q * (((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179)
                 / (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0);
        }
        var tail = Math.Sqrt(-Log(q < 0 ? p : 1 - p));
        double x;
        if (tail <= 5)
        {
            tail -= 1.6;
            x = (((0.17023821103 * tail + 1.3067284816) * tail + 2.7568153900) * tail + 1.4234372777)
              / ((0.12021131975 * tail + 0.73700164250) * tail + 1.0);
        }
        else
        {
            tail -= 5;
            x = (((0.017337203997 * tail + 0.42868294337) * tail + 3.0812263860) * tail + 6.6579051150)
              / ((0.012258202635 * tail + 0.24197894225) * tail + 1.0);
        }
        return q < 0 ? -x : x;
    }

    // ln(m 2^e) = e ln 2 + 2 atanh((m - 1) / (m + 1)), m from [sqrt(1/2), sqrt(2)): the series ends at 1e-16 after eleven terms.
    internal static double Log(double x)
    {
        var bits = BitConverter.DoubleToInt64Bits(x);
        var exponent = (int)(bits >> 52) - 1023;
        var mantissa = BitConverter.Int64BitsToDouble((bits & 0xfffffffffffff) | 0x3ff0000000000000);
        if (mantissa > 1.4142135623730951)
            (mantissa, exponent) = (mantissa / 2, exponent + 1);
        var z = (mantissa - 1) / (mantissa + 1);
        double square = z * z, sum = 0;
        for (var k = 21; k >= 1; k -= 2)
            sum = sum * square + 1.0 / k;
        return exponent * 0.6931471805599453 + 2 * z * sum;
    }
}
