using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// The dynamic scale of the loss (Micikevicius et al. 2018, section 3.2): a power of two, so that to multiply and to divide by it is exact.
/// It is the replica's state, as moments are: a vector of its own (<see cref="VectorSet.LossScale"/>), zeros at first.
/// </summary>
/// <param name="Exponent">The scale is 2^Exponent.</param>
/// <param name="CleanSteps">Steps without overflow since the scale last changed.</param>
/// <param name="SkippedSteps">All steps that were skipped: the optimizer has not counted them.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct LossScale(int Exponent, int CleanSteps, long SkippedSteps)
{
    /// <summary>The first scale is 65,536.</summary>
    public const int FirstExponent = 16;

    /// <summary>Clean steps after which the scale doubles.</summary>
    public const int StepsToDouble = 2000;

    // Far beyond what any gradient needs, and far from fp32's largest number.
    private const int MostExponent = 64;

    // Counts are written in two parts, which fp32 holds exactly.
    private const int PartBits = 20;

    /// <summary>What the loss is multiplied by.</summary>
    public double Value => Math.ScaleB(1, Exponent);

    /// <summary>The loss scale of a replica.</summary>
    /// <exception cref="ElasticException">The vector holds something else.</exception>
    public static LossScale Read(ReplicaVectors vectors)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        Span<float> v = stackalloc float[VectorSet.LossScaleElements];
        vectors.CopyTo(VectorSet.LossScale, 0, v);
        foreach (var number in v)
            if (!(MathF.Abs(number) < 1 << PartBits) || number != MathF.Truncate(number))
                throw NotOne();
        var scale = new LossScale(FirstExponent + (int)v[0], (int)v[1], (long)v[2] + ((long)v[3] << PartBits));
        return scale is { Exponent: >= 0 and <= MostExponent, CleanSteps: >= 0 and < StepsToDouble, SkippedSteps: >= 0 }
            ? scale
            : throw NotOne();
    }

    /// <summary>Writes it there.</summary>
    public void Write(ReplicaVectors vectors)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        vectors.CopyFrom(
            VectorSet.LossScale, 0,
            [Exponent - FirstExponent, CleanSteps, SkippedSteps & ((1 << PartBits) - 1), SkippedSteps >> PartBits]);
    }

    /// <summary>After a step without overflow.</summary>
    public LossScale AfterCleanStep() => CleanSteps + 1 < StepsToDouble
        ? this with { CleanSteps = CleanSteps + 1 }
        : this with { Exponent = Math.Min(Exponent + 1, MostExponent), CleanSteps = 0 };

    /// <summary>After a step that overflowed and was skipped; null where the scale was 1 already.</summary>
    public LossScale? AfterOverflow() => Exponent == 0 ? null : new LossScale(Exponent - 1, 0, SkippedSteps + 1);

    private static ElasticException NotOne()
        => new("the stored loss scale of a replica is none: its inner state is damaged, or another program wrote it");
}
