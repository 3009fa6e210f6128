using Elastic.Kernels;

namespace Elastic.Model.Networks;

/// <summary>
/// Positions by sines and cosines (Vaswani et al. 2017, section 3.5): the angle of pair i at place p is p / 10000^(2 i / C). The sines of
/// all pairs stand in the first half of the channels and the cosines in the second, as Marian has them; the paper's interleaved order is
/// the same network with its channels in another order. Computed in double precision and rounded once, so that all machines have the same.
/// </summary>
/// <param name="places">Rows.</param>
/// <param name="width">C, an even number.</param>
public sealed class SinusoidalPositions(int places, int width)
{
    /// <summary>C.</summary>
    public int Width { get; } = width;

    /// <summary>(places, C) row-major.</summary>
    internal float[] Values { get; } = Table(places, width);

    private static float[] Table(int places, int width)
    {
        var (table, pairs) = (new float[checked(places * width)], width / 2);
        for (var i = 0; i < pairs; i++)
        {
            var turn = 1 / Elementary.Pow(10_000, 2.0 * i / width);
            for (var place = 0; place < places; place++)
            {
                var (sin, cos) = Elementary.SinCos(place * turn);
                (table[place * width + i], table[place * width + pairs + i]) = ((float)sin, (float)cos);
            }
        }
        return table;
    }
}
