using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Elastic.Messages;

namespace Elastic.Model.Native;

/// <summary>
/// The text of what the bits of a result depend on besides settings, seed and corpus. Two devices with the same text compute the same bits;
/// a run keeps the text that it began with.
/// </summary>
public static class Arithmetic
{
    /// <summary>Raised whenever a change to the code gives other bits for the same run.</summary>
    private const int Version = 1;

    /// <summary>E.g. "1 cpu AuthenticAMD AVX512 x 1 thread" or "1 cuda".</summary>
    /// <param name="threads">Arithmetic threads of one CPU device.</param>
    public static string Of(DeviceId device, int threads) => device.IsCpu
        ? string.Create(CultureInfo.InvariantCulture,
            $"{Version} cpu {Maker()} {CpuCapability.Name()} x {threads} thread{(threads == 1 ? "" : "s")}")
        : string.Create(CultureInfo.InvariantCulture, $"{Version} cuda");

    // The math library chooses its kernels by the processor's maker, too.
    private static string Maker()
    {
        if (!X86Base.IsSupported)
            return RuntimeInformation.ProcessArchitecture.ToString();
        var (_, b, c, d) = X86Base.CpuId(0, 0);
        Span<int> words = [b, d, c];
        return Encoding.ASCII.GetString(MemoryMarshal.AsBytes(words));
    }
}
