
namespace Elastic.Kernels;

/// <summary>
/// The inverse of the standard normal distribution: algorithm AS 241, PPND7 (Wichura 1988), good to seven digits. It needs only what IEEE
/// 754 fixes to the bit: addition, multiplication, division, square root, and <see cref="Elementary"/>'s logarithm for the tails.
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
        var tail = Math.Sqrt(-Elementary.Log(q < 0 ? p : 1 - p));
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
}
