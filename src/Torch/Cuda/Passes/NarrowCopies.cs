using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>
/// A device's copies of vectors of parameters in 16 bits, from which products read weights; each is made anew when its vector has changed:
/// once in a step.
/// </summary>
internal sealed class NarrowCopies : IDisposable
{
    private readonly Dictionary<TorchVector, (Tensor Elements, int Changes)> _copies = [];

    /// <summary>All elements of a vector of this device's memory, rounded.</summary>
    public Tensor Of(TorchVector vector, ScalarType type)
    {
        ArgumentNullException.ThrowIfNull(vector);
        var changes = vector.Changes;
        if (_copies.TryGetValue(vector, out var copy) && copy.Elements.dtype == type && copy.Changes == changes)
            return copy.Elements;
        using var scope = NewDisposeScope();
        if (copy.Elements is not null && copy.Elements.dtype != type)
        {
            copy.Elements.Dispose();
            copy.Elements = null!;
        }
        var elements = copy.Elements ?? empty(vector.Flat.shape, type, vector.Flat.device).DetachFromDisposeScope();
        elements.copy_(vector.Flat);
        _copies[vector] = (elements, changes);
        return elements;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (elements, _) in _copies.Values)
            elements.Dispose();
        _copies.Clear();
    }
}
