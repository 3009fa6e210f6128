using System.Runtime.InteropServices;

namespace Elastic.Torch.Cuda;

/// <summary>A kernel's argument: eight bytes that begin with its value, or where a structure lies.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly unsafe struct KernelArgument
{
    private KernelArgument(ulong word) => Word = word;

    private KernelArgument(void* structure) => Structure = structure;

    /// <summary>The value, in its lower bytes (all machines that GPUs are in are little-endian).</summary>
    public ulong Word { get; }

    /// <summary>Where the structure lies; null for a value.</summary>
    public void* Structure { get; }

    public static implicit operator KernelArgument(void* pointer) => new((ulong)pointer);

    public static implicit operator KernelArgument(long value) => new((ulong)value);

    public static implicit operator KernelArgument(ulong value) => new(value);

    public static implicit operator KernelArgument(int value) => new((uint)value);

    public static implicit operator KernelArgument(uint value) => new(value);

    public static implicit operator KernelArgument(bool value) => new(value ? 1UL : 0UL);

    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value));

    public static implicit operator KernelArgument(double value) => new(BitConverter.DoubleToUInt64Bits(value));

    /// <summary>A structure by value, which stays where it is until the launch returns.</summary>
    public static KernelArgument Of<T>(T* structure)
        where T : unmanaged
        => new((void*)structure);
}
