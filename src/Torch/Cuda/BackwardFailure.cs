using System.Runtime.ExceptionServices;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Keeps what went wrong within a backward pass of libtorch's: an exception that passed through libtorch would end the process. The device
/// throws it when the pass has ended.
/// </summary>
internal sealed class BackwardFailure
{
    private Exception? _first;

    /// <summary>The gradients of a function's arguments; none where they could not be had.</summary>
    public List<Tensor> Guard(int arguments, Func<List<Tensor>> backward)
    {
        ArgumentNullException.ThrowIfNull(backward);
        try
        {
            return backward();
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _first, e, null);
            return [.. Enumerable.Repeat<Tensor>(null!, arguments)];
        }
    }

    /// <summary>Throws what was kept.</summary>
    public void ThrowIfAny()
    {
        if (Interlocked.Exchange(ref _first, null) is { } failure)
            ExceptionDispatchInfo.Throw(failure);
    }
}
