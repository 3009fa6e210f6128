using Elastic.Kernels;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>What numbers lie in memory as. Kernels compute in fp32, and round what they write to the nearest, ties to even.</summary>
internal enum ElementType
{
    /// <summary>IEEE binary32.</summary>
    Fp32,

    /// <summary>See <see cref="NarrowType.BFloat16"/>.</summary>
    Bf16,

    /// <summary>See <see cref="NarrowType.Float16"/>.</summary>
    Fp16,
}

/// <summary>Neighbouring elements in a GPU's memory.</summary>
/// <param name="At">Where the first lies; 0 for none.</param>
/// <param name="Type">Type of each element.</param>
internal readonly unsafe record struct DeviceMemory(nint At, ElementType Type)
{
    /// <summary>No memory, where a kernel can do without.</summary>
    public static DeviceMemory None => default;

    /// <summary>True for <see cref="None"/>.</summary>
    public bool IsNone => At == 0;

    /// <summary>The address of elements of fp32.</summary>
    /// <exception cref="InvalidOperationException">They are of 16 bits.</exception>
    public float* Floats => Type == ElementType.Fp32 ? (float*)At : throw new InvalidOperationException($"elements of {Type} as fp32");

    /// <summary>As kernels call a type.</summary>
    public static string NameOf(ElementType type) => type switch { ElementType.Bf16 => "bf16", ElementType.Fp16 => "f16", _ => "f32" };

    /// <summary>The elements of a tensor, in their order.</summary>
    /// <exception cref="ArgumentException">Kernels do not know its type, or it has gaps.</exception>
    public static DeviceMemory Of(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (!tensor.is_contiguous())
            throw new ArgumentException(
                $"a tensor ({string.Join(", ", tensor.shape)}) with gaps is no argument of a kernel", nameof(tensor));
        return new((nint)Dispatcher.Data(tensor), TypeOf(tensor.dtype));
    }

    /// <summary>The type of a tensor's elements.</summary>
    /// <exception cref="ArgumentException">Kernels do not know it.</exception>
    public static ElementType TypeOf(ScalarType type) => type switch
    {
        ScalarType.Float32 => ElementType.Fp32,
        ScalarType.BFloat16 => ElementType.Bf16,
        ScalarType.Float16 => ElementType.Fp16,
        _ => throw new ArgumentException($"no kernel takes {type}", nameof(type)),
    };

    /// <summary>Bytes of an element; 0 where there is no memory.</summary>
    public int ElementBytes => IsNone ? 0 : Type == ElementType.Fp32 ? 4 : 2;

    /// <summary>The elements from one on.</summary>
    public DeviceMemory From(long element) => IsNone ? this : this with { At = At + (nint)(element * (Type == ElementType.Fp32 ? 4 : 2)) };

    /// <summary>fp32.</summary>
    public static implicit operator DeviceMemory(float* elements) => new((nint)elements, ElementType.Fp32);

    /// <summary>A kernel's argument: where they lie.</summary>
    public static implicit operator KernelArgument(DeviceMemory memory) => (void*)memory.At;
}
