using System.Runtime.CompilerServices;

namespace Elastic.Kernels;

/// <summary>
/// A thread's room for packed blocks of A and B. Nobody can dispose of what is thread-static, so it is an array that does not move, and the
/// garbage collector takes it back after the thread has ended.
/// </summary>
internal sealed unsafe class PackingBuffers
{
    private const int CacheLine = 64;

    [ThreadStatic]
    private static PackingBuffers? _ofThisThread;

    // Kept for the memory behind the pointers.
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
