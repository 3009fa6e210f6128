namespace Elastic.Model.Training;

/// <summary>One product of a training step, as a device computed it.</summary>
/// <param name="Name">E.g. "up, forward".</param>
/// <param name="Shape">Types, sizes and transposes, e.g. "bf16 4096x3072x768 NN to fp32".</param>
/// <param name="Algorithm">By which algorithm of its library, as the library names it.</param>
/// <param name="Seconds">Seconds of one product; the mean of many.</param>
/// <param name="PlainSeconds">Seconds of one product of the same matrices by libtorch's own means; the mean of many.</param>
/// <param name="Operations">Multiplications and additions.</param>
/// <param name="Distance">From the same product in fp32, relative to its length.</param>
/// <param name="Repeats">Whether a second product gave the same bits.</param>
public sealed record ProductTime(
    string Name, string Shape, string Algorithm, double Seconds, double PlainSeconds, double Operations, double Distance, bool Repeats)
{
    // Sums in fp32 of numbers in bf16 lie far below it, a result that is rounded to bf16 (2^-9 an element) below it, a wrong one above.
    private const double MostDistance = 1.0 / 256;

    /// <summary>Operations a second, in 10^12.</summary>
    public double TeraFlops => Operations / Seconds / 1e12;

    /// <summary>Operations a second of libtorch's product, in 10^12.</summary>
    public double PlainTeraFlops => Operations / PlainSeconds / 1e12;

    /// <summary>True where it is the product, and the same one each time.</summary>
    public bool IsWell => Repeats && Distance < MostDistance;
}
