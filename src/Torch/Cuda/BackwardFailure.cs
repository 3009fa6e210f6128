using System.Runtime.ExceptionServices;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Keeps what went wrong within a backward pass of libtorch's: an exception that passed through libtorch would end the process. The device
/// throws it when the pass has ended. Keeps memory, too: for a GPU libtorch runs the pass on a thread of its own, where no scope disposes
/// tensors, and the collector of garbage does not know how much of the GPU's memory they hold.
/// </summary>
internal sealed class BackwardFailure
{
    private Exception? _first;

    // What the last function of ours gave to libtorch, which has it when the next one is called.
    private IReadOnlyList<Tensor> _given = [];

    /// <summary>The gradients of a function's arguments; none where they could not be had.</summary>
    /// <param name="gradients">Of the function's results, as libtorch gave them: they are disposed of when the function is done.</param>
    public List<Tensor> Guard(int arguments, Func<List<Tensor>> backward, params IReadOnlyList<Tensor> gradients)
    {
        ArgumentNullException.ThrowIfNull(backward);
        ArgumentNullException.ThrowIfNull(gradients);
        Forget();
        // After a failure the pass goes on without gradients: nothing is computed of none. (Nor of the zeros that TorchSharp would make of
        // them, outside of this guard, on a GPU that may be lost: see Begin.)
        if (gradients.Count > 0 && gradients.All(g => g.IsInvalid))
            return [.. Enumerable.Repeat<Tensor>(null!, arguments)];
        try
        {
            var results = backward();
            _given = [.. results.Where(r => r is not null)];
            foreach (var gradient in gradients.Where(g => !_given.Contains(g, ReferenceEqualityComparer.Instance)))
                gradient.Dispose();
            return results;
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _first, e, null);
            return [.. Enumerable.Repeat<Tensor>(null!, arguments)];
        }
    }

    /// <summary>To be called by a function's forward pass: where it has no gradient, its backward pass gets none.</summary>
    public static void Begin(autograd.AutogradContext ctx)
    {
        ArgumentNullException.ThrowIfNull(ctx);
        ctx.set_materialize_grads(false);
    }

    /// <summary>A backward pass begins: what an earlier one left, which ended by another failure, is none of its.</summary>
    public void Clear()
    {
        Forget();
        Interlocked.Exchange(ref _first, null);
    }

    /// <summary>Throws what was kept. The backward pass has ended.</summary>
    public void ThrowIfAny()
    {
        Forget();
        if (Interlocked.Exchange(ref _first, null) is { } failure)
            ExceptionDispatchInfo.Throw(failure);
    }

    private void Forget()
    {
        foreach (var tensor in _given)
            tensor.Dispose();
        _given = [];
    }
}
