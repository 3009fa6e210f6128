using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Vectors;
using TorchSharp;

namespace Elastic.Model.Networks;

/// <summary>A kind of model, in one size: its parameters, its inputs, and its computation.</summary>
public interface IArchitecture
{
    /// <summary>What two checkpoints must share to fit the same network, e.g. "gpt2 4x128 heads 4 context 128 vocabulary 257".</summary>
    string Signature { get; }

    /// <summary>The parameters, in order: the layout of the flat vector follows from them.</summary>
    IReadOnlyList<ParameterSpec> Parameters { get; }

    /// <summary>Makes micro-batches of samples.</summary>
    IBatching Batching { get; }

    /// <summary>
    /// Bytes that a forward and backward pass of so many sequences takes on a device, besides parameters and gradients. Within a fifth: a
    /// run that does not fit is refused by it.
    /// </summary>
    double ActivationBytes(int sequences);

    /// <summary>The forward and backward passes on a device.</summary>
    INetwork OpenNetwork(double labelSmoothing, torch.Device device);
}

/// <summary>The forward and backward passes of a model on one device. One thread uses it.</summary>
public interface INetwork : IDisposable
{
    /// <summary>
    /// Overwrites every gradient of a trained parameter with what this micro-batch contributes to the gradient of the step's loss.
    /// </summary>
    /// <returns>The micro-batch's own mean loss, nats per target.</returns>
    double ForwardBackward(MicroBatch batch, ParameterViews parameters, ParameterViews gradients, DropoutSeed seed);

    /// <summary>Plain cross-entropy of each row: no dropout, no smoothing, no gradient.</summary>
    ScoreSum[] Evaluate(MicroBatch batch, ParameterViews parameters);

    /// <summary>Logits of the token that follows <paramref name="tokens"/>, (V).</summary>
    float[] Logits(ReadOnlySpan<int> tokens, ParameterViews parameters);
}
