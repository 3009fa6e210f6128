using Elastic.Kernels;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda.CublasLt;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>A pass's parameters and the places of their gradients, by names.</summary>
/// <param name="parameters">In fp32.</param>
/// <param name="narrow">Copies of them in 16 bits.</param>
/// <param name="precision">Says which type products read.</param>
internal sealed class GpuParameters(FlatLayout layout, PassParameters parameters, NarrowCopies narrow, Precision precision)
{
    /// <summary>A parameter in fp32, a view.</summary>
    public Tensor this[string name] => parameters[name];

    /// <summary>A table of embeddings whose rows are looked up, in fp32: a view.</summary>
    public Tensor Table(string name) => parameters.Table(name);

    /// <summary>A parameter as products read it, a view.</summary>
    public Tensor Weight(string name)
    {
        if (TypeOf(precision) is not { } type)
            return this[name];
        var segment = layout[name];
        return narrow.Of(parameters.VectorOf(segment), segment, type).view([.. segment.Shape]);
    }

    /// <summary>
    /// <see cref="Weight"/>, whose rows a GPU's products want to be a multiple of something: with rows of zeros behind its own, (rows
    /// rounded up, …). As it is where nothing is rounded to 16 bits.
    /// </summary>
    public Tensor PaddedWeight(string name, long multiple)
    {
        if (TypeOf(precision) is not { } type)
            return this[name];
        var segment = layout[name];
        long[] shape = [ProductShape.RoundUp(segment.Shape[0], multiple), .. segment.Shape.Skip(1)];
        return narrow.Padded(parameters.VectorOf(segment), segment, type, shape.Aggregate((a, b) => a * b)).view(shape);
    }

    /// <summary>The gradient of a parameter, a view to add to; null where it is frozen.</summary>
    public Tensor? Gradient(string name) => parameters.GradientOf(name);

    /// <summary>The gradient of the rows of a table of embeddings, a view to add to; null where it is frozen.</summary>
    public Tensor? GradientOfRows(string table) => parameters.GradientOfRows(table);

    /// <summary>The type of what a precision rounds; null where it rounds nothing.</summary>
    public static ScalarType? TypeOf(Precision precision) => precision.Storage switch
    {
        NarrowType.BFloat16 => bfloat16,
        NarrowType.Float16 => float16,
        _ => null,
    };
}
