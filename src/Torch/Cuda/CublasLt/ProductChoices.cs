namespace Elastic.Torch.Cuda.CublasLt;

/// <summary>
/// Which algorithm computes a product of each shape. All GPUs of a process whose bits are to be the same share one of these: the first that
/// meets a shape asks its library, and the others make the same algorithm from its attributes.
/// </summary>
internal sealed class ProductChoices
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ProductShape, AlgorithmAttributes?> _all = [];

    /// <summary>What was chosen for a shape.</summary>
    /// <param name="ask">Chooses where nobody has; null where no algorithm fits.</param>
    public AlgorithmAttributes? Of(ProductShape shape, Func<AlgorithmAttributes?> ask)
    {
        ArgumentNullException.ThrowIfNull(ask);
        // Asking takes a millisecond at most, and what is thrown is not kept.
        lock (_gate)
        {
            if (!_all.TryGetValue(shape, out var chosen))
                _all[shape] = chosen = ask();
            return chosen;
        }
    }
}
