using Elastic.Model.Tapes;
using Elastic.Model.Vectors;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>
/// The parameters that a pass reads, as leaves of autograd, and where their gradients are added. The rows of a tied embedding have a leaf
/// of their own, because their gradient is summed apart (<see cref="PiecedVector.Rows"/>).
/// </summary>
/// <param name="vectors">Vectors of the parameters, or of those that the pass reads.</param>
internal sealed class PassParameters(FlatLayout layout, IReadOnlyList<TorchVector> vectors) : IDisposable
{
    private readonly Dictionary<(Segment Segment, bool IsApart), Tensor> _leaves = [];
    private PiecedVector? _gradient;

    /// <summary>A parameter.</summary>
    public Tensor this[string name] => Leaf(layout[name], false);

    /// <summary>A table of embeddings, whose rows are looked up.</summary>
    public Tensor Table(string name) => Leaf(layout[name], IsApart(layout, name));

    /// <summary>True where the gradient of the rows of this table is summed apart.</summary>
    public static bool IsApart(FlatLayout layout, string table) => layout[table].Parameter.IsTrained && layout.IsTied(table);

    /// <summary>The table of which that is so; null for none.</summary>
    public static Segment? ApartOf(Tape tape)
    {
        var name = tape.Operations.FirstOrDefault(o => o.SumsRowsApart)?.Parameters[0];
        return name is not null && IsApart(tape.Layout, name) ? tape.Layout[name] : null;
    }

    /// <summary>Where the next backward pass adds the gradients of the parameters that were read.</summary>
    public void AddTo(PiecedVector gradient)
    {
        _gradient = gradient;
        foreach (var ((segment, isApart), leaf) in _leaves.Where(l => l.Value.requires_grad))
        {
            using var view = Gradient(segment, isApart);
            leaf.grad = view;
        }
    }

    /// <summary>The view of the flat gradient to which that of a parameter is added; null where it is frozen. The caller's.</summary>
    public Tensor? GradientOf(string name) => layout[name] is { Parameter.IsTrained: true } segment ? Gradient(segment, false) : null;

    /// <summary>
    /// The view of the flat gradient to which that of the rows of a table is added; null where it is frozen. The caller's.
    /// </summary>
    public Tensor? GradientOfRows(string table) =>
        layout[table] is { Parameter.IsTrained: true } segment ? Gradient(segment, IsApart(layout, table)) : null;

    /// <summary>The vector in which a parameter lies.</summary>
    public TorchVector VectorOf(Segment segment) =>
        vectors.First(v => v.First <= segment.Offset && segment.Offset + segment.Count <= v.Length);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var leaf in _leaves.Values)
            leaf.Dispose();
        _leaves.Clear();
    }

    private Tensor Leaf(Segment segment, bool isApart)
    {
        if (_leaves.TryGetValue((segment, isApart), out var leaf))
            return leaf;
        using var scope = NewDisposeScope();
        leaf = VectorOf(segment).View(layout, segment.Name).detach().DetachFromDisposeScope();
        leaf.requires_grad = segment.Parameter.IsTrained;
        return _leaves[(segment, isApart)] = leaf;
    }

    private Tensor Gradient(Segment segment, bool isApart)
    {
        var into = isApart ? _gradient!.Rows! : _gradient!.PieceOf(segment.Offset, segment.Count);
        return into.View(layout, segment.Name);
    }
}
