using Elastic.Model.Operators;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>
/// Tables in a device's memory that passes read and no step changes: those of positions. They are sent when a pass first asks, and stay for
/// the passes after it; of more shapes than live at once, those go that nobody has asked for the longest.
/// </summary>
internal sealed class GpuConstants(Device device) : IDisposable
{
    // Micro-batches of training and of scores, of a model or two, have other shapes; a text that grows has another one with each token.
    private const int Most = 8;

    private readonly List<(object Key, Tensor Values)> _all = [];

    /// <summary>The values of a key, (elements) in fp32: of this operation's use, not longer.</summary>
    /// <param name="values">Asked where they are not there yet.</param>
    public Tensor Of<TKey>(TKey key, Func<float[]> values)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(values);
        if (_all.FindIndex(c => key.Equals(c.Key)) is var at && at >= 0)
        {
            var known = _all[at];
            _all.RemoveAt(at);
            _all.Add(known);
            return known.Values;
        }
        if (_all.Count == Most)
        {
            _all[0].Values.Dispose();
            _all.RemoveAt(0);
        }
        using var scope = NewDisposeScope();
        // The host does not wait until the GPU has come so far: the driver has copied what is not pinned when the call returns.
        var made = tensor(values(), float32).to(device, non_blocking: true).alias().DetachFromDisposeScope();
        _all.Add((key, made));
        return made;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, values) in _all)
            values.Dispose();
        _all.Clear();
    }
}

/// <summary>Names the cosines and sines of so many positions. Tapes have angles of their own; those of equal values are the same.</summary>
internal readonly record struct TurnsOf(RotaryAngles Angles, int Tokens)
{
    /// <inheritdoc/>
    public bool Equals(TurnsOf other) => Tokens == other.Tokens && (Angles == other.Angles
        || Angles.Magnitude == other.Angles.Magnitude && Angles.Frequencies.SequenceEqual(other.Angles.Frequencies));

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Tokens, Angles.Magnitude, Angles.Frequencies.Count);
}
