using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch.Native;

/// <summary>
/// Tensors with plain numbers, and sums of tensors, elementwise: the only place that hands libtorch numbers by address. TorchSharp makes a
/// native number of each (<see cref="Scalar"/>), hands over its address, and holds it no longer: a collection during that call frees the
/// number, and libtorch reads another one in its place, says "Unknown scalar type", or ends the process. So an operator of TorchSharp's
/// with a number, such as x * 2, is called nowhere else; nor is x + y, for which it makes a number, too: how often y counts. A test reads
/// the compiled code. Here a number is freed when libtorch has read it.
/// </summary>
internal static class NumberOperators
{
    // How often the second of a sum counts. Never freed.
    private static readonly Scalar Once = 1;

    /// <summary>x times a number.</summary>
    public static Tensor Times(this Tensor x, double factor)
    {
        using Scalar number = factor;
        return x.mul(number);
    }

    /// <summary>x times a number, in place.</summary>
    /// <returns>Another handle on the same memory.</returns>
    public static Tensor TimesInPlace(this Tensor x, double factor)
    {
        using Scalar number = factor;
        return x.mul_(number);
    }

    /// <summary>x and a number.</summary>
    public static Tensor Plus(this Tensor x, double addend)
    {
        using Scalar number = addend;
        return x.add(number, Once);
    }

    /// <summary>x and y, of shapes that broadcast to one.</summary>
    public static Tensor Plus(this Tensor x, Tensor y) => x.add(y, Once);

    /// <summary>x and y, in the place of x.</summary>
    /// <returns>Another handle on the same memory.</returns>
    public static Tensor AddInPlace(this Tensor x, Tensor y) => x.add_(y, Once);

    /// <summary>x by a number.</summary>
    public static Tensor Over(this Tensor x, double divisor)
    {
        using Scalar number = divisor;
        return x.div(number);
    }

    /// <summary>x to the power of a whole number.</summary>
    public static Tensor Power(this Tensor x, long exponent)
    {
        using Scalar number = exponent;
        return x.pow(number);
    }

    /// <summary>x, but the number where <paramref name="mask"/> is true.</summary>
    /// <param name="mask">Of booleans; broadcasts to the shape of x.</param>
    public static Tensor Filled(this Tensor x, Tensor mask, double value)
    {
        using Scalar number = value;
        return x.masked_fill(mask, number);
    }

    /// <summary>(count): 0, 1, 2 ….</summary>
    public static Tensor CountTo(long count, ScalarType type, Device device)
    {
        using Scalar number = count;
        return arange(number, type, device);
    }
}
