using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Elastic.Kernels;

/// <summary>The implementations of <see cref="ILanes{T}"/>, widest first.</summary>
internal enum LaneKind
{
    /// <summary>AVX-512.</summary>
    Vector512,

    /// <summary>AVX2 with fused multiply-add.</summary>
    Vector256,

    /// <summary>NEON; SSE.</summary>
    Vector128,

    /// <summary>No vector registers.</summary>
    Scalar,
}

/// <summary>What a kernel does, for any lanes. A struct, so that the compiler makes one copy for each kernel and kind.</summary>
internal interface ILaneKernel
{
    void Run<T, TWide>()
        where T : struct, ILanes<T>
        where TWide : struct, IWideLanes<TWide, T>;
}

/// <summary>Runs a kernel with the widest lanes that this processor has. All kinds give the same bits.</summary>
internal static class LaneDispatch
{
    [ThreadStatic]
    private static LaneKind? _forced;

    /// <summary>The kinds that this process can run, widest first.</summary>
    public static IReadOnlyList<LaneKind> Supported { get; } = [.. Enum.GetValues<LaneKind>().Where(IsSupported)];

    private static readonly LaneKind Widest = Supported[0];

    /// <summary>What the calling thread's kernels run with.</summary>
    public static LaneKind Kind => _forced ?? Widest;

    /// <summary>
    /// For tests: the calling thread uses another kind, until null is given. A kernel that uses several threads asks once, first.
    /// </summary>
    public static void Force(LaneKind? kind) => _forced = kind;

    /// <summary>Runs a kernel on this thread.</summary>
    public static void Run<TKernel>(in TKernel kernel)
        where TKernel : struct, ILaneKernel
    {
        switch (Kind)
        {
            case LaneKind.Vector512 when Has512:
                kernel.Run<Lanes512, WideLanes512>();
                break;
            case LaneKind.Vector256 when Has256:
                kernel.Run<Lanes256, WideLanes256>();
                break;
            case LaneKind.Vector128:
                kernel.Run<Lanes128, WideLanes128>();
                break;
            default:
                kernel.Run<LanesScalar, WideLanesScalar>();
                break;
        }
    }

    private static bool Has512 => Vector512.IsHardwareAccelerated && Avx512F.IsSupported;

    private static bool Has256 => Vector256.IsHardwareAccelerated && Avx2.IsSupported && Fma.IsSupported;

    private static bool IsSupported(LaneKind kind) => kind switch
    {
        LaneKind.Vector512 => Has512,
        LaneKind.Vector256 => Has256,
        LaneKind.Vector128 => Vector128.IsHardwareAccelerated,
        _ => true,
    };
}
