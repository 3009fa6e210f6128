namespace Elastic.Kernels;

/// <summary>What this processor computes with. It decides about speed only.</summary>
/// <param name="Name">E.g. "AVX-512".</param>
/// <param name="IsSlow">True where fused multiply-adds are calls into the C library.</param>
public sealed record InstructionSet(string Name, bool IsSlow)
{
    /// <summary>The instructions of this process: DOTNET_EnableAVX512=0 and the like take some away from it.</summary>
    public static InstructionSet Describe() => Products.Best switch
    {
        Products.Instructions.Vector512 => new("AVX-512", false),
        Products.Instructions.Vector256 => new("AVX2", false),
        Products.Instructions.Vector128 => new("NEON", false),
        _ => new("scalar instructions without fused multiply-add", true),
    };
}
