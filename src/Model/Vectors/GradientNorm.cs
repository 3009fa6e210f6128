namespace Elastic.Model.Vectors;

/// <summary>The global norm of the gradient and what clipping makes of it (Pascanu et al. 2013), in double precision.</summary>
public static class GradientNorm
{
    /// <summary>The norm, from the sums of squares of all tiles <b>in tile order</b>: who summed which tile does not show.</summary>
    public static double Fold(IEnumerable<double> tileSums)
    {
        ArgumentNullException.ThrowIfNull(tileSums);
        var sum = 0.0;
        foreach (var tile in tileSums)
            sum += tile;
        return Math.Sqrt(sum);
    }

    /// <summary>
    /// What to multiply the gradient by so that its norm is at most <paramref name="clip"/>: min(1, clip / (norm + 1e-6)), as PyTorch's
    /// clip_grad_norm_ has it. 1 where <paramref name="clip"/> is 0. NaN, which the optimizer refuses, where the norm is not finite, even if
    /// nothing is clipped.
    /// </summary>
    public static double ClipCoefficient(double norm, double clip)
        => !double.IsFinite(norm) ? double.NaN : clip > 0 ? Math.Min(1.0, clip / (norm + 1e-6)) : 1.0;
}
