using System.Runtime.InteropServices;
using Elastic.Kernels;
using Elastic.Torch.Cuda;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>Numbers in memory that kernels of the fake GPU read and write, of a type; rounded to it when they come in.</summary>
internal sealed unsafe class TypedArray : IDisposable
{
    private const int Alignment = 64;

    private readonly byte* _block;
    private readonly int _count;

    /// <param name="skew">How many elements it begins behind an aligned place.</param>
    public TypedArray(ElementType type, float[] values, int skew = 0)
    {
        var size = type == ElementType.Fp32 ? sizeof(float) : sizeof(ushort);
        _block = (byte*)NativeMemory.AlignedAlloc((nuint)(size * (values.Length + skew) + Alignment), Alignment);
        (_count, Memory) = (values.Length, new((nint)_block + skew * size, type));
        fixed (float* from = values)
        {
            if (type == ElementType.Fp32)
                values.CopyTo(new Span<float>((float*)Memory.At, _count));
            else
                NarrowRows.Narrow(NarrowTypeOf(type), (ushort*)Memory.At, from, _count);
        }
    }

    public DeviceMemory Memory { get; }

    /// <summary>Of fp32.</summary>
    public float* Floats => Memory.Type == ElementType.Fp32 ? (float*)Memory.At : throw new InvalidOperationException("not fp32");

    public float[] Values
    {
        get
        {
            var values = new float[_count];
            fixed (float* into = values)
            {
                if (Memory.Type == ElementType.Fp32)
                    new Span<float>((float*)Memory.At, _count).CopyTo(values);
                else
                    NarrowRows.Widen(NarrowTypeOf(Memory.Type), into, (ushort*)Memory.At, _count);
            }
            return values;
        }
    }

    public static implicit operator DeviceMemory(TypedArray array) => array.Memory;

    /// <summary>The nearest numbers of a type.</summary>
    public static float[] Rounded(ElementType type, float[] values)
    {
        float[] rounded = [.. values];
        fixed (float* x = rounded)
        {
            if (type != ElementType.Fp32)
                NarrowRows.Round(NarrowTypeOf(type), x, rounded.Length);
        }
        return rounded;
    }

    public void Dispose() => NativeMemory.AlignedFree(_block);

    private static NarrowType NarrowTypeOf(ElementType type) =>
        type == ElementType.Bf16 ? NarrowType.BFloat16 : NarrowType.Float16;
}
