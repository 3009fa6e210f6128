using Elastic.Kernels;
using Elastic.Kernels.Attention;
using Elastic.Model.Generation;

namespace Elastic.Model.Cpu;

/// <summary>The size of the keys and values of one token.</summary>
/// <param name="Layers">Attentions of a network.</param>
/// <param name="Width">Hkv D: channels of all heads of keys.</param>
internal readonly record struct KeyValueShape(int Layers, int Width)
{
    /// <summary>Bytes of memory that keys and values of so many tokens take: whole pages.</summary>
    public long Bytes(int tokens)
    {
        var bytes = 2L * Layers * tokens * Width * sizeof(float);
        return (bytes + NativeBuffer.Alignment - 1) / NativeBuffer.Alignment * NativeBuffer.Alignment;
    }
}

/// <summary>
/// The keys and values of a text in every layer, (layers, 2, capacity, Hkv D): rows of tokens at their absolute positions, as attention
/// reads them.
/// </summary>
internal sealed unsafe class KeyValueCache : DecoderState
{
    private readonly KeyValueShape _shape;
    private readonly NativeBuffer _buffer;

    /// <exception cref="OutOfMemoryException">The system does not give the memory.</exception>
    public KeyValueCache(KeyValueShape shape, int capacity, EncodedSource? source)
        : base(capacity, source)
        => (_shape, _buffer) = (shape, new NativeBuffer(shape.Bytes(capacity)));

    /// <summary>(capacity, Hkv D).</summary>
    public HeadRows Keys(int layer) => Rows(2 * layer);

    /// <summary>(capacity, Hkv D).</summary>
    public HeadRows Values(int layer) => Rows(2 * layer + 1);

    /// <inheritdoc/>
    protected override void CopyMemory(DecoderState other)
    {
        var from = (KeyValueCache)other;
        for (var index = 0; index < 2 * _shape.Layers; index++)
            Ranges.Copy(Rows(index).Data, from.Rows(index).Data, from.Tokens.Count * _shape.Width);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _buffer.Dispose();
        base.Dispose(disposing);
    }

    private HeadRows Rows(int index) => new(_buffer.Floats + (long)index * Capacity * _shape.Width, _shape.Width, 0);
}

/// <summary>The rows of a pass that continue a text.</summary>
/// <param name="FirstRow">First row of the pass that continues the text.</param>
/// <param name="Predicts">True where the logits after its last row are asked for.</param>
internal sealed record CachedText(KeyValueCache Cache, int FirstRow, int Rows, bool Predicts);
