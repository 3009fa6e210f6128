namespace Elastic.Kernels;

/// <summary>
/// Elementary functions made of addition, multiplication and division only, which IEEE 754 fixes to the bit. C libraries give other last
/// digits on other processors and in other versions, and these numbers reach the parameters.
/// </summary>
public static class Elementary
{
    /// <summary>The natural logarithm of a normal positive number, good to 1e-15.</summary>
    public static double Log(double x)
    {
        // ln(m 2^e) = e ln 2 + 2 atanh((m - 1) / (m + 1)), m from [sqrt(1/2), sqrt(2)): the series ends at 1e-16 after eleven terms.
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

    /// <summary>cos(π x), 0 &lt;= x &lt;= 1, good to 1e-15.</summary>
    public static double CosineOfPi(double x)
    {
        // Reduces to an angle up to π/4, where Taylor's series ends at 1e-20 with its tenth power of the square. The differences are
        // exact.
        if (x > 0.5)
            return -CosineOfPi(1 - x);
        var isSine = x > 0.25;
        var angle = Math.PI * (isSine ? 0.5 - x : x);
        double square = angle * angle, sum = 1;
        // cos t = 1 - t²/(1·2) (1 - t²/(3·4) (1 - ...)), sin t = t (1 - t²/(2·3) (1 - t²/(4·5) (1 - ...))).
        for (var k = 19; k >= 1; k -= 2)
        {
            var n = isSine ? k + 1 : k;
            sum = 1 - square / (n * (n + 1)) * sum;
        }
        return isSine ? angle * sum : sum;
    }
}
