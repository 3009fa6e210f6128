using Elastic.Model.Tapes;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>
/// A tape's operations on one device's tensors, range by range: a whole network in one range, or a stage of a pipeline, which computes its
/// own range alone and hands over what crosses its ends. N rows, V tokens of the vocabulary. Not for several threads at once.
/// </summary>
internal interface ITapePass : IDisposable
{
    /// <summary>Before <see cref="Forward"/>: what another stage has made.</summary>
    /// <param name="value">An output of an operation before the range.</param>
    /// <param name="x">fp32 (rows, columns), on this device. It belongs to the pass from now on.</param>
    void Put(Value value, Tensor x);

    /// <summary>The operations [<paramref name="first"/>, <paramref name="end"/>), after those before them or what was put.</summary>
    void Forward(int first, int end);

    /// <summary>
    /// fp32 (rows, columns): what <see cref="Forward"/> has made of a value, or what was put. It belongs to the caller.
    /// </summary>
    Tensor Take(Value value);

    /// <summary>(N): each row's loss in nats, fp64, after the head; of generation (V): the logits of the last row. Of the pass.</summary>
    Tensor Losses { get; }

    /// <summary>Before <see cref="Backward"/>: the gradient that the later stages' readers of a value have made together.</summary>
    /// <param name="value">One that was put, or that this pass has made.</param>
    /// <param name="dy">fp32 (rows, columns), on this device. It belongs to the pass from now on.</param>
    void PutGradient(Value value, Tensor dy);

    /// <summary>
    /// The operations from <paramref name="end"/> back to <paramref name="first"/>. Gradients of parameters are added to the views of the
    /// flat gradient; the head's begin with the sum of losses times the loss factor.
    /// </summary>
    void Backward(int first, int end);

    /// <summary>
    /// fp32 (rows, columns): the gradient of a value that was put, with what <see cref="PutGradient"/> gave for it; null where nobody
    /// asked for it. It belongs to the caller.
    /// </summary>
    Tensor? TakeGradient(Value value);
}
