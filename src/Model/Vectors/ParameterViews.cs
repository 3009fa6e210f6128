using static TorchSharp.torch;

namespace Elastic.Model.Vectors;

/// <summary>
/// A flat vector seen as the tensors of its parameters: the model's, or their gradients. All are views; nothing is copied. Padded rows
/// belong to no view and so never change.
/// </summary>
public sealed class ParameterViews : IDisposable
{
    private readonly FlatLayout _layout;
    private readonly Dictionary<string, Tensor> _views = [];

    /// <summary>Cuts <paramref name="flat"/>, (layout.Length), into views.</summary>
    public ParameterViews(FlatLayout layout, Tensor flat)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(flat);
        _layout = layout;
        foreach (var segment in layout.Segments)
            _views[segment.Name] = flat.as_strided([.. segment.Shape], Strides(segment.Shape), segment.Offset).DetachFromDisposeScope();
    }

    /// <summary>The parameter called <paramref name="name"/>; tied ones share a view.</summary>
    public Tensor this[string name] => _views[_layout[name].Name];

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var view in _views.Values)
            view.Dispose();
    }

    private static long[] Strides(IReadOnlyList<long> shape)
    {
        var strides = new long[shape.Count];
        for (var (i, stride) = (shape.Count - 1, 1L); i >= 0; stride *= shape[i--])
            strides[i] = stride;
        return strides;
    }
}
