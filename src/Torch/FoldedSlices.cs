using Elastic.Model.Vectors;

namespace Elastic.Torch;

/// <summary>
/// Where a device puts the slices of the gradient that it folds, if not into its own sum: one for each slice that it has in a step.
/// </summary>
/// <param name="gpu">The GPU's number; 0 on libtorch's CPU.</param>
internal sealed class FoldedSlices(TorchSharp.torch.Device device, int gpu) : IDisposable
{
    private readonly Dictionary<Slice, TorchVector> _slices = [];

    /// <summary>Room for a slice; zeros at first.</summary>
    /// <param name="isOnlyOne">True where the device has no other slices in this step: they are freed.</param>
    public TorchVector this[Slice slice, bool isOnlyOne]
    {
        get
        {
            if (_slices.TryGetValue(slice, out var kept))
                return kept;
            if (isOnlyOne)
                Dispose();
            return _slices[slice] = new TorchVector(slice.First, slice.Count, device, gpu);
        }
    }

    /// <summary>The slice that a tile is in.</summary>
    public TorchVector Of(int tile) => _slices.First(s => s.Key.FirstTile <= tile && tile < s.Key.FirstTile + s.Key.Tiles).Value;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var slice in _slices.Values)
            slice.Dispose();
        _slices.Clear();
    }
}
