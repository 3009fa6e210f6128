using System.Runtime.InteropServices;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>A fake library of products of the test's own, see fake_cublaslt.c: each has its own switches and notes.</summary>
internal sealed unsafe class FakeCublasLt
{
    private static readonly Lazy<nint> Compiled = new(() => FakeGpu.Shared.Load("libcublasLt-fake.so.12", "fake_cublaslt.c", ["-O2"]));
    private static int _number;

    private readonly nint _handle;

    public FakeCublasLt()
    {
        NativeTorch.Load();
        // Compiled once; a copy is a library of its own.
        _ = Compiled.Value;
        var copy = Path.Combine(FakeGpu.Shared.Folder, $"cublaslt-{Interlocked.Increment(ref _number)}.so");
        File.Copy(Path.Combine(FakeGpu.Shared.Folder, "fake-libcublasLt-fake.so.12"), copy);
        _handle = NativeLibrary.Load(copy);
        Library = new CublasLtLibrary(_handle);
    }

    public CublasLtLibrary Library { get; }

    /// <summary>Of all of this library's GPUs.</summary>
    public ProductChoices Choices { get; } = new();

    /// <summary>A line for each question for an algorithm and each product since <see cref="Clear"/>.</summary>
    public IReadOnlyList<string> Calls =>
        Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)Export("fake_calls"))())!.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Those of products, without the stream: how the algorithm was made, its attributes in order, and the types.</summary>
    public IReadOnlyList<string> Products =>
        [.. Calls.Where(c => c.StartsWith("multiply", StringComparison.Ordinal)).Select(c => string.Join(' ', c.Split(' ')[2..]))];

    public int Questions => Calls.Count(c => c.StartsWith("propose", StringComparison.Ordinal));

    /// <summary>Bytes of a proposal, as the compiler lays it out.</summary>
    public nuint ResultBytes => ((delegate* unmanaged<nuint>)Export("fake_result_bytes"))();

    public void Clear() => ((delegate* unmanaged<void>)Export("fake_clear"))();

    /// <summary>The product after so many answers with a status.</summary>
    public void Fail(int after, int status) => ((delegate* unmanaged<int, int, void>)Export("fake_fail"))(after, status);

    /// <summary>The next handle or question for an algorithm answers with a status.</summary>
    public void FailNext(int status) => Set("fake_fail_next", status);

    /// <summary>The next preference is refused with a status.</summary>
    public void FailNextPreference(int status) => Set("fake_fail_next_preference", status);

    /// <summary>Handles and preferences that nobody has freed.</summary>
    public int Held => ((delegate* unmanaged<int>)Export("fake_held"))();

    /// <summary>Proposes nothing but split sums from now on.</summary>
    public void OnlySplits() => Set("fake_only_splits", 1);

    /// <summary>Proposes other tiles from now on.</summary>
    public void Change() => Set("fake_variant", 1);

    /// <summary>Computes by no algorithm of that tile from now on.</summary>
    public void Refuse(uint tile) => Set("fake_refuse", (int)tile);

    public DeviceProducts On(int gpu, GpuStream? stream = null) =>
        new(FakeGpu.Shared.Driver, Library, Choices, gpu, TorchSharp.torch.CPU, stream?.Handle ?? 0);

    private void Set(string switchOf, int value) => ((delegate* unmanaged<int, void>)Export(switchOf))(value);

    private nint Export(string name) => NativeLibrary.GetExport(_handle, name);
}
