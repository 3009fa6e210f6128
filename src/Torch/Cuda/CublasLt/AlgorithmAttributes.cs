using System.Globalization;

namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>
/// An algorithm of cublasLt as its interface names it (cublasLtMatmulAlgoConfigAttributes_t): all that is needed to make it again. What the
/// library keeps it in is opaque, and is neither compared nor kept.
/// </summary>
/// <param name="SplitK">Parts that the inner axis is cut into.</param>
/// <param name="Reduction">How the parts' sums are added (cublasLtReductionScheme_t); 0 for not at all.</param>
internal readonly record struct AlgorithmAttributes(
    int Id, uint Tile, uint SplitK, uint Reduction, uint Swizzling, uint CustomOption, uint Stages, ushort InnerShape, ushort ClusterShape)
{
    /// <summary>
    /// True where one block of threads sums an element from the first to the last: parts that several blocks sum are added in an order
    /// that nobody has written down.
    /// </summary>
    public bool SumsInOneOrder => Reduction == 0 && SplitK <= 1;

    /// <summary>E.g. "algorithm 66 tile 20 stages 36 split 1 reduction 0 swizzling 1 custom 0 inner 0 cluster 2".</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"algorithm {Id} tile {Tile} stages {Stages} split {SplitK} reduction {Reduction} swizzling {Swizzling} custom {CustomOption} " +
        $"inner {InnerShape} cluster {ClusterShape}");
}
