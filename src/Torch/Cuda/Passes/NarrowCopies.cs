using Elastic.Model.Vectors;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>
/// A device's copies of parameters in 16 bits, from which products read them; each is made anew when the vector that it lies in has
/// changed: once in a step.
/// </summary>
internal sealed class NarrowCopies : IDisposable
{
    private readonly Dictionary<(TorchVector Vector, long Offset), (Tensor Elements, int Changes)> _copies = [];

    /// <summary>A parameter of a vector of this device's memory, rounded: (elements).</summary>
    public Tensor Of(TorchVector vector, Segment segment, ScalarType type)
    {
        ArgumentNullException.ThrowIfNull(vector);
        ArgumentNullException.ThrowIfNull(segment);
        var (key, changes) = ((vector, segment.Offset), vector.Changes);
        if (_copies.TryGetValue(key, out var copy) && copy.Elements.dtype == type && copy.Changes == changes)
            return copy.Elements;
        using var scope = NewDisposeScope();
        if (copy.Elements is { } other && other.dtype != type)
        {
            _copies.Remove(key);
            other.Dispose();
            copy = default;
        }
        var elements = copy.Elements ?? empty(segment.Count, type, vector.Flat.device);
        elements.copy_(vector.Range(segment.Offset, segment.Count));
        _copies[key] = (elements.DetachFromDisposeScope(), changes);
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
