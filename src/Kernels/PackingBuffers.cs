using System.Runtime.CompilerServices;

namespace Elastic.Kernels;

/// <summary>
/// A thread's room for packed blocks of A and B. Thread-static memory cannot be disposed of, so it is a pinned array, which the garbage
/// collector frees after the thread has ended.
/// </summary>
internal sealed unsafe class PackingBuffers
{
    private const int CacheLine = 64;

    [ThreadStatic]
    private static PackingBuffers? _ofThisThread;

    // Keeps the memory behind the pointers alive.
    private readonly float[] _memory;

    private PackingBuffers(int a, int b)
    {
        _memory = GC.AllocateUninitializedArray<float>(a + b + CacheLine / sizeof(float), pinned: true);
        var start = (nint)Unsafe.AsPointer(ref _memory[0]);
        A = (float*)((start + CacheLine - 1) / CacheLine * CacheLine);
        B = A + a;
    }

    public float* A { get; }

    public float* B { get; }

    /// <summary>The calling thread's, of always the same numbers of floats. Valid until the thread ends.</summary>
    public static PackingBuffers OfThisThread(int a, int b) => _ofThisThread ??= new PackingBuffers(a, b);
}
