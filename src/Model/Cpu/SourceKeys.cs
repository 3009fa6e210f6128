using Elastic.Kernels;
using Elastic.Kernels.Attention;
using Elastic.Model.Generation;

namespace Elastic.Model.Cpu;

/// <summary>The keys and values of a source in every layer of the decoder, (layers, 2, S, H D).</summary>
internal sealed unsafe class SourceKeys : EncodedSource
{
    private readonly KeyValueShape _shape;
    private readonly NativeBuffer _buffer;

    /// <exception cref="OutOfMemoryException">The system does not give the memory.</exception>
    public SourceKeys(ReadOnlySpan<int> tokens, KeyValueShape shape)
        : base(tokens)
        => (_shape, _buffer) = (shape, new NativeBuffer(shape.Bytes(tokens.Length)));

    /// <summary>(S, H D).</summary>
    public HeadRows Keys(int layer) => Rows(2 * layer);

    /// <summary>(S, H D).</summary>
    public HeadRows Values(int layer) => Rows(2 * layer + 1);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _buffer.Dispose();
        base.Dispose(disposing);
    }

    private HeadRows Rows(int index) => new(_buffer.Floats + (long)index * Tokens.Length * _shape.Width, _shape.Width, 0);
}
