using System.Runtime.InteropServices;
using Elastic.Torch.Cuda.Nccl;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>A fake library of collectives of the test's own, see fake_nccl.c: each has its own switches.</summary>
internal sealed class FakeNccl
{
    private static readonly Lazy<nint> Compiled = new(() => FakeGpu.Shared.Load("libnccl.so.2", "fake_nccl.c", ["-O1"]));
    private static int _number;

    private readonly nint _handle;

    public FakeNccl()
    {
        // Compiled once; a copy is a library of its own.
        _ = Compiled.Value;
        var copy = Path.Combine(FakeGpu.Shared.Folder, $"nccl-{Interlocked.Increment(ref _number)}.so");
        File.Copy(Path.Combine(FakeGpu.Shared.Folder, "fake-libnccl.so.2"), copy);
        _handle = NativeLibrary.Load(copy);
        Library = new NcclLibrary("libnccl.so.2", _handle);
    }

    public NcclLibrary Library { get; }

    /// <summary>Communicators that nobody has aborted yet.</summary>
    public int Open => Ask("fake_open");

    /// <summary>How many slices have moved.</summary>
    public int Transfers => Ask("fake_transfers");

    /// <summary>A rank refuses its start (1), fails in a transfer (2), or answers "in progress" for ever (3).</summary>
    public unsafe void Fault(int rank, int kind) => ((delegate* unmanaged<int, int, void>)Export("fake_fault"))(rank, kind);

    /// <summary>Ends when somebody has aborted all communicators.</summary>
    public async Task ClosedAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (Open > 0)
            await Task.Delay(1, deadline.Token);
    }

    /// <summary>The library loaded once more, of another version.</summary>
    public unsafe NcclLibrary OfVersion(int number)
    {
        ((delegate* unmanaged<int, void>)Export("fake_version"))(number);
        return new NcclLibrary("libnccl.so.2", _handle);
    }

    public NcclGroup Group(params IReadOnlyList<int> gpus) => new(Library, FakeGpu.Shared.Driver, gpus);

    private unsafe int Ask(string name) => ((delegate* unmanaged<int>)Export(name))();

    private nint Export(string name) => NativeLibrary.GetExport(_handle, name);
}
