using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Torch.Cuda;

namespace Elastic.Torch.Native;

/// <summary>
/// Asks libtorch for algorithms that give the same bits each time, and for sums in fp32, for the whole process and for good
/// (aten/src/ATen/Context.h).
/// An operator that has none then throws: a run that stops beats a wrong answer. Those that Elastic calls have one.
/// </summary>
internal static unsafe partial class Determinism
{
    private const string Library = "libtorch_cpu.so", Context = "_ZN2at13globalContextEv",
        Algorithms = "_ZN2at7Context26setDeterministicAlgorithmsEbb",
        FillMemory = "_ZN2at7Context39setDeterministicFillUninitializedMemoryEb",
        Bf16Sums = "_ZN2at7Context27setAllowBF16ReductionCuBLASEbb", Fp16Sums = "_ZN2at7Context27setAllowFP16ReductionCuBLASEbb",
        Fp16Accumulators = "_ZN2at7Context30setAllowFP16AccumulationCuBLASEb";

    // cuBLAS repeats its bits on several streams only with workspaces of fixed sizes (cuBLAS, "Results reproducibility"), and libtorch then
    // multiplies nothing without them. 8 of 4 MiB are libtorch's own choice for an H100; another size may choose other algorithms, so what
    // the environment says is not asked.
    private const string WorkspaceVariable = "CUBLAS_WORKSPACE_CONFIG", Workspaces = ":4096:8";

    private static readonly Lazy<bool> Demanded = new(() =>
    {
        NativeTorch.Load();
        var functions = new NativeFunctions(
            Library, NativeTorch.FindLoaded(Library), [Context, Algorithms, FillMemory, Bf16Sums, Fp16Sums, Fp16Accumulators]);
        var (algorithms, fillMemory) = (functions[Algorithms], functions[FillMemory]);
        var context = ((delegate* unmanaged<nint>)functions[Context])();
        // In the C library's environment, which libtorch and cuBLAS read; .NET has a copy of its own.
        if (SetVariable(WorkspaceVariable, Workspaces, 1) != 0)
            throw new ElasticException($"{WorkspaceVariable} cannot be set in the environment of this process");
        // Nobody reads memory before it is written, so that filling it first would be for nothing.
        ((delegate* unmanaged<nint, byte, void>)fillMemory)(context, 0);
        ((delegate* unmanaged<nint, byte, byte, void>)algorithms)(context, 1, 0);
        // A product of 16 bits that is split along K may add its parts in 16 bits, which is what libtorch allows by itself: sums are fp32
        // here. Whether it is split at all stays cuBLAS's choice: libtorch can forbid that on some of its ways only.
        foreach (var sums in new[] { Bf16Sums, Fp16Sums })
            ((delegate* unmanaged<nint, byte, byte, void>)functions[sums])(context, 0, 1);
        ((delegate* unmanaged<nint, byte, void>)functions[Fp16Accumulators])(context, 0);
        return true;
    });

    /// <summary>From now on. Idempotent; to be called before the first product on a GPU.</summary>
    /// <exception cref="ElasticException">This libtorch has no such switch.</exception>
    public static void Demand() => _ = Demanded.Value;

    [LibraryImport("libc.so.6", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int replaces);
}
