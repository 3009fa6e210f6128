using System.Runtime.CompilerServices;

namespace Elastic.Kernels;

/// <summary>Whether the calling thread computes with denormal numbers as IEEE 754 says.</summary>
internal static class Denormals
{
    // Not constants, so that the processor computes the products and not the compiler.
    private static readonly float[] Operands = [1.17549435e-38f, 0.25f, 1e-40f, 16777216f];

    /// <summary>False where a denormal result becomes zero (flush-to-zero) or a denormal operand counts as zero.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    public static bool AreKept()
    {
        var o = Operands;
        return o[0] * o[1] != 0 && o[2] * o[3] != 0;
    }
}
