using Elastic.Model.Operators;
using Elastic.Model.Tapes;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>How a GPU computes one kind of operation, forwards and backwards.</summary>
internal abstract class GpuOperator
{
    /// <summary>Makes the operation's output.</summary>
    public abstract void Forward(GpuPass pass, Operation operation);

    /// <summary>
    /// Makes the gradients of the inputs from <see cref="GpuPass.OutputGradient"/>, and adds those of trained parameters to the flat
    /// gradient.
    /// </summary>
    public abstract void Backward(GpuPass pass, Operation operation);
}

/// <summary>How a GPU computes operations of one type.</summary>
internal abstract class GpuOperator<TOperation> : GpuOperator
    where TOperation : Operation
{
    /// <inheritdoc/>
    public override void Forward(GpuPass pass, Operation operation) => Forward(pass, (TOperation)operation);

    /// <inheritdoc/>
    public override void Backward(GpuPass pass, Operation operation) => Backward(pass, (TOperation)operation);

    /// <inheritdoc cref="GpuOperator.Forward"/>
    protected abstract void Forward(GpuPass pass, TOperation o);

    /// <inheritdoc cref="GpuOperator.Backward"/>
    protected abstract void Backward(GpuPass pass, TOperation o);
}

/// <summary>Who computes what.</summary>
internal static class GpuOperators
{
    private static readonly Dictionary<Type, GpuOperator> All = new()
    {
        [typeof(EmbedOperation)] = new EmbedOnGpu(),
        [typeof(EmbedPairsOperation)] = new EmbedPairsOnGpu(),
        [typeof(LayerNormOperation)] = new LayerNormOnGpu(),
        [typeof(ResidualOperation)] = new ResidualOnGpu(),
        [typeof(LinearOperation)] = new LinearOnGpu(),
        [typeof(RmsNormOperation)] = new RmsNormOnGpu(),
        [typeof(RotaryOperation)] = new RotaryOnGpu(),
        [typeof(GeluOperation)] = new ActivationsOnGpu(_ => ActivationKind.GeluTanh),
        [typeof(ActivationOperation)] = new ActivationsOnGpu(
            o => ((ActivationOperation)o).Function == Activation.Relu ? ActivationKind.Relu : ActivationKind.GeluErf),
        [typeof(SwiGluOperation)] = new SwiGluOnGpu(),
        [typeof(CausalAttentionOperation)] = new AttentionOnGpu(),
        [typeof(AttentionOperation)] = new AttentionOnGpu(),
        [typeof(DropoutOperation)] = new DropoutOnGpu(),
        [typeof(ScaledSumOperation)] = new ScaledSumOnGpu(),
        [typeof(AddRowOperation)] = new AddRowOnGpu(),
        [typeof(PartOperation)] = new PartOnGpu(),
        [typeof(CrossEntropyOperation)] = new HeadOnGpu(),
    };

    /// <summary>Who computes an operation.</summary>
    public static GpuOperator Of(Operation operation) => All[operation.GetType()];
}
