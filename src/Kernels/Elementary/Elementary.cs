namespace Elastic.Kernels;

/// <summary>
/// Elementary functions made of addition, multiplication and division only, which IEEE 754 fixes to the bit. C libraries give other last
/// digits on other processors and in other versions, and these numbers reach the parameters.
/// </summary>
public static class Elementary
{
    /// <summary>
    /// The natural logarithm of a normal positive number, good to 1e-15. Of 0 it is -∞, of ∞ it is ∞; of a negative number and of what is
    /// not a number it is not a number.
    /// </summary>
    public static double Log(double x)
    {
        if (!(x > 0 && x < double.PositiveInfinity))
            return x == 0 ? double.NegativeInfinity : x > 0 ? x : double.NaN;
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

    /// <summary>
    /// e^x, good to 1e-15 (relative) where the result is a normal number. Infinite above 709.78, 0 below -745.2.
    /// </summary>
    public static double Exp(double x)
    {
        if (!(x > -746))
            return double.IsNaN(x) ? x : 0;
        if (x > 710)
            return double.PositiveInfinity;
        // e^x = 2^n e^r, |r| <= ln(2) / 2, where Taylor's series ends at 1e-17 after thirteen terms. The first part of ln 2 has 32 bits, so
        // its product with n is exact.
        const double rounder = 6_755_399_441_055_744; // 1.5 2^52: adding it rounds to an integer
        var n = x * 1.4426950408889634 + rounder - rounder;
        var r = x - n * 0.6931471803691238 - n * 1.9082149292705877e-10;
        var sum = 1.0;
        for (var k = 13; k >= 1; k--)
            sum = 1 + r / k * sum;
        // 2^n in two factors, because it may be denormal or too large where the result is not.
        var half = (int)n / 2;
        return sum * PowerOfTwo(half) * PowerOfTwo((int)n - half);
    }

    /// <summary>
    /// x^y for a normal positive x, as e^(y ln x): good to 2e-15 (1 + |y ln x|) (relative). For powers of an optimizer's β and decays of a
    /// schedule.
    /// </summary>
    public static double Pow(double x, double y) => y == 0 ? 1 : Exp(y * Log(x));

    /// <summary>The sine and the cosine, good to 2.3e-16 (absolute) for |x| &lt;= 1,000,000.</summary>
    public static (double Sin, double Cos) SinCos(double x)
    {
        // r = x - n π/2, |r| <= π/4. The first two parts of π/2 have 33 bits, so their products with n < 2^20 are exact.
        const double rounder = 6_755_399_441_055_744;
        var n = x * 0.6366197723675814 + rounder - rounder;
        var r = x - n * 1.5707963267341256 - n * 6.077100506303966e-11 - n * 2.0222662487959506e-21;
        double square = r * r, sine = 1, cosine = 1;
        for (var k = 0; k < SineFactors.Length; k++)
        {
            sine = 1 - square * SineFactors[k] * sine;
            cosine = 1 - square * CosineFactors[k] * cosine;
        }
        sine *= r;
        return ((long)n & 3) switch
        {
            0 => (sine, cosine),
            1 => (cosine, -sine),
            2 => (-sine, -cosine),
            _ => (-cosine, sine),
        };
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

    // sin t = t (1 - t²/(2·3) (1 - t²/(4·5) (1 - ...))), cos t = 1 - t²/(1·2) (1 - t²/(3·4) (1 - ...)), from the innermost factor.
    private static ReadOnlySpan<double> SineFactors =>
    [
        1.0 / (18 * 19), 1.0 / (16 * 17), 1.0 / (14 * 15), 1.0 / (12 * 13), 1.0 / (10 * 11), 1.0 / (8 * 9), 1.0 / (6 * 7), 1.0 / (4 * 5),
        1.0 / (2 * 3),
    ];

    private static ReadOnlySpan<double> CosineFactors =>
    [
        1.0 / (17 * 18), 1.0 / (15 * 16), 1.0 / (13 * 14), 1.0 / (11 * 12), 1.0 / (9 * 10), 1.0 / (7 * 8), 1.0 / (5 * 6), 1.0 / (3 * 4),
        1.0 / (1 * 2),
    ];

    private static double PowerOfTwo(int exponent) => BitConverter.Int64BitsToDouble((long)(exponent + 1023) << 52);
}
