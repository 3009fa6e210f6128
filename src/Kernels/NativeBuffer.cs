using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// Memory outside of the garbage collector's heap, in pages of 2 MB where the system has them (Linux, "madvise" or "always" in
/// /sys/kernel/mm/transparent_hugepage/enabled): a product walks through matrices of which pages of 4 KB would overflow the processor's
/// table of pages. Not zeroed, but for <see cref="Untouched"/>.
/// </summary>
public sealed unsafe partial class NativeBuffer : IDisposable
{
    /// <summary>The start and the size of every buffer are multiples of it.</summary>
    public const int Alignment = 2 << 20;

    private const int MadviseHugePage = 14;

    private readonly void* _untouched;
    private void* _data;

    /// <summary>At least so many bytes.</summary>
    /// <exception cref="OutOfMemoryException">The system does not give them.</exception>
    public NativeBuffer(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = Math.Max((bytes + Alignment - 1) / Alignment * Alignment, Alignment);
        _data = NativeMemory.AlignedAlloc((nuint)Bytes, Alignment);
        AskForHugePages(_data, Bytes);
    }

    private NativeBuffer(void* untouched, long bytes)
    {
        _untouched = untouched;
        _data = (void*)(((nint)untouched + Alignment - 1) / Alignment * Alignment);
        Bytes = bytes;
    }

    /// <summary>
    /// Zeros, in small pages. The system gives the memory of a large buffer page by page, when something is first written there.
    /// </summary>
    /// <exception cref="OutOfMemoryException">The system does not give so much address space.</exception>
    public static NativeBuffer Untouched(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        bytes = Math.Max((bytes + Alignment - 1) / Alignment * Alignment, Alignment);
        return new NativeBuffer(NativeMemory.AllocZeroed((nuint)(bytes + Alignment)), bytes);
    }

    /// <summary>Its size.</summary>
    public long Bytes { get; }

    /// <summary>Its first float; null after <see cref="Dispose"/>.</summary>
    public float* Floats => (float*)_data;

    /// <summary>Frees the memory. Nothing else does: whoever made the buffer owns it.</summary>
    public void Dispose()
    {
        if (_untouched is null)
            NativeMemory.AlignedFree(_data);
        else if (_data is not null)
            NativeMemory.Free(_untouched);
        _data = null;
    }

    // Only advice: where the system does not take it, the pages are small and everything is right, too.
    private static void AskForHugePages(void* data, long bytes)
    {
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            _ = Madvise(data, (nuint)bytes, MadviseHugePage);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // A C library without madvise.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Madvise(void* data, nuint bytes, int advice);
}
