namespace Elastic.Model.Vectors;

/// <summary>The global norm of the gradient and its clipping (Pascanu et al. 2013), in double precision.</summary>
public static class GradientNorm
{
    /// <summary>The norm, from the tiles' sums of squares <b>in tile order</b>: independent of which device summed which tile.</summary>
    public static double Fold(IEnumerable<double> tileSums)
    {
        ArgumentNullException.ThrowIfNull(tileSums);
        var sum = 0.0;
        foreach (var tile in tileSums)
            sum += tile;
        return Math.Sqrt(sum);
    }

    /// <summary>
    /// The factor that makes the gradient's norm at most <paramref name="clip"/>: min(1, clip / (norm + 1e-6)), as in PyTorch's
    /// clip_grad_norm_. 1 where <paramref name="clip"/> is 0. NaN, which the optimizer refuses, where the norm is not finite, even without
    /// clipping.
    /// </summary>
    public static double ClipCoefficient(double norm, double clip)
        => !double.IsFinite(norm) ? double.NaN : clip > 0 ? Math.Min(1.0, clip / (norm + 1e-6)) : 1.0;
}
