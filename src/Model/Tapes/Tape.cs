using System.Runtime.InteropServices;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tapes;

/// <summary>What a network is recorded for.</summary>
public enum TapePurpose
{
    /// <summary>Loss and gradients; with dropout and label smoothing.</summary>
    Training,

    /// <summary>The plain cross-entropy of each row.</summary>
    Evaluation,

    /// <summary>The logits of the token after the last row.</summary>
    Generation,

    /// <summary>What an encoder makes of a source: the keys and values to which all texts attend that answer it.</summary>
    Encoding,

    /// <summary>
    /// The logits of texts that go on: each row is a token with a text and a position of its own, which attends to the keys and values that
    /// the text's cache has of the tokens before, and to those that are kept of its source. The shape is N sequences of one token.
    /// </summary>
    Decoding,
}

/// <summary>
/// A network, written down once, forwards: an architecture calls the operators (extension methods, one file each), which add operations
/// here. Reading the list backwards is the backward pass. A tape is recorded once for a shape and run at each step; nothing is computed
/// while it is recorded.
/// </summary>
/// <param name="shape">What goes through it.</param>
/// <param name="layout">Tells which parameters are trained.</param>
/// <param name="labelSmoothing">Label smoothing of the loss, in training.</param>
/// <param name="precision">In what it keeps its numbers; fp32 if not given.</param>
/// <param name="share">What of it is recorded for a rank of a tensor group; null for all.</param>
public sealed class Tape(
    TapePurpose purpose, BatchShape shape, FlatLayout layout, double labelSmoothing = 0, Precision? precision = null,
    TensorShare? share = null)
{
    private readonly List<Operation> _operations = [];
    private readonly HashSet<Value> _needGradient = [];
    private readonly List<TapeBlock> _blocks = [];
    private int? _blockStart;

    /// <summary>What it is for.</summary>
    public TapePurpose Purpose { get; } = purpose;

    /// <summary>What goes through it.</summary>
    public BatchShape Shape { get; } = shape;

    /// <summary>Where the parameters lie.</summary>
    public FlatLayout Layout { get; } = layout;

    /// <summary>ε of the loss.</summary>
    public double LabelSmoothing { get; } = labelSmoothing;

    /// <summary>In what it keeps its numbers.</summary>
    public Precision Precision { get; } = precision ?? Precision.Fp32;

    /// <summary>The rank's share; null where one device computes the whole.</summary>
    public TensorShare? Share { get; } = share;

    /// <summary>All operations, forwards.</summary>
    public IReadOnlyList<Operation> Operations => _operations;

    /// <summary>The blocks, in order. They do not overlap.</summary>
    public IReadOnlyList<TapeBlock> Blocks => _blocks;

    /// <summary>
    /// Marks that the operations from here to the end of the scope are a block: one of many alike, a layer of a transformer, whose results
    /// can be forgotten and computed again for its backward pass, where memory is short. What later operations read is kept.
    /// </summary>
    /// <returns>Ends the block when it is disposed of.</returns>
    public IDisposable BeginBlock()
    {
        if (_blockStart is not null)
            throw new InvalidOperationException("a block has begun and not ended: blocks follow one another");
        _blockStart = _operations.Count;
        return new BlockEnd(this);
    }

    /// <summary>Records an operation that makes a value.</summary>
    public Value Record(Operation operation)
    {
        Add(operation);
        return operation.Output!;
    }

    /// <summary>Records an operation, after those that make its inputs.</summary>
    public void Add(Operation operation)
    {
        ArgumentNullException.ThrowIfNull(operation);
        _operations.Add(operation);
        if (operation.Output is { } output
            && (operation.Inputs.Any(_needGradient.Contains) || operation.Parameters.Any(p => Layout[p].Parameter.IsTrained)))
            _needGradient.Add(output);
    }

    /// <summary>False where neither the value nor anything before it depends on a trained parameter.</summary>
    public bool NeedsGradient(Value value) => _needGradient.Contains(value);

    /// <summary>True for a value that is rounded to the precision's type, and its gradient with it.</summary>
    public bool IsNarrow(Value value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return Precision.IsNarrow && !value.Producer.StaysWide;
    }

    private sealed class BlockEnd(Tape tape) : IDisposable
    {
        public void Dispose()
        {
            if (tape._blockStart is not { } first)
                return;
            tape._blocks.Add(new TapeBlock(first, tape._operations.Count - first));
            tape._blockStart = null;
        }
    }
}

/// <summary>Consecutive operations of a tape: see <see cref="Tape.BeginBlock"/>.</summary>
/// <param name="First">Index of the first one.</param>
/// <param name="Count">How many.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct TapeBlock(int First, int Count)
{
    /// <summary>The index after the last one.</summary>
    public int End => First + Count;
}
