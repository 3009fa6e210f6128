using System.Runtime.Intrinsics.X86;

namespace Elastic.Torch.Native;

/// <summary>The variant of its kernels that libtorch chooses on this processor (ATen/native/DispatchStub.cpp).</summary>
internal static class CpuCapability
{
    /// <summary>"AVX512", "AVX2" or "DEFAULT"; ATEN_CPU_CAPABILITY overrides what the processor offers.</summary>
    public static string Name()
    {
        if (Environment.GetEnvironmentVariable("ATEN_CPU_CAPABILITY") is { Length: > 0 } forced)
            return forced.ToUpperInvariant();
        if (Avx512F.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported)
            return "AVX512";
        return Avx2.IsSupported && Fma.IsSupported ? "AVX2" : "DEFAULT";
    }
}
