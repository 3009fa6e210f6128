using Elastic.Model.Tapes;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>
/// The gradients of a pass's values while it runs backwards. The first of a value's readers makes its gradient, the others add to it in
/// fp32; it is rounded when all have (<see cref="Elastic.Model.Training.Precision"/>). Where there is one reader, it makes a narrow
/// gradient in 16 bits at once: the same bits.
/// </summary>
internal sealed class GpuGradients : IDisposable
{
    private readonly Tape _tape;
    private readonly ScalarType _narrow;
    private readonly Device _device;
    private readonly Dictionary<Value, Held> _gradients = [];
    private readonly Dictionary<Value, int> _readers = [];

    /// <param name="narrow">The type of narrow values.</param>
    public GpuGradients(Tape tape, ScalarType narrow, Device device)
    {
        (_tape, _narrow, _device) = (tape, narrow, device);
        foreach (var operation in tape.Operations.Where(o => GpuPassPlan.HasGradient(tape, o)))
        {
            foreach (var input in operation.Inputs)
                _readers[input] = _readers.GetValueOrDefault(input) + 1;
        }
    }

    /// <summary>True where a trained parameter is before the value.</summary>
    public bool AreWanted(Value value) => _tape.NeedsGradient(value);

    /// <summary>Where a reader writes a value's gradient, or adds to it, which is in fp32 then.</summary>
    public (Tensor Gradient, bool Adds) Into(Value value)
    {
        if (_gradients.TryGetValue(value, out var held))
            return (Own(value, held), true);
        var made = empty(value.Rows, value.Columns, TypeOf(value), _device);
        _gradients[value] = new Held(made.DetachFromDisposeScope());
        return (made, false);
    }

    /// <summary>Where a reader adds to a value's gradient, in fp32: a new one begins as zeros.</summary>
    public Tensor Sum(Value value)
    {
        if (_gradients.TryGetValue(value, out var held))
            return Own(value, held);
        var made = zeros(value.Rows, value.Columns, float32, _device);
        _gradients[value] = new Held(made.DetachFromDisposeScope());
        return made;
    }

    /// <summary>Adds what a reader has made of a value's gradient. It belongs to the pass from now on.</summary>
    public void Give(Value value, Tensor dx)
    {
        using var scope = NewDisposeScope();
        if (_gradients.TryGetValue(value, out var held))
            Own(value, held).AddInPlace(dx);
        else
            // In the value's shape, and whole rows one after the other, as kernels read it.
            _gradients[value] = new Held(dx.view(value.Rows, value.Columns).contiguous().alias().DetachFromDisposeScope());
        dx.Dispose();
    }

    /// <summary>The whole gradient of a value, rounded: for <see cref="Pass"/>. It belongs to the pass from now on.</summary>
    public void Round(Value value, Tensor rounded) => _gradients[value].Rounded = rounded.DetachFromDisposeScope();

    /// <summary>Adds the gradient of an operation's output, unchanged, to that of one of its inputs.</summary>
    public void Pass(Held from, Value to)
    {
        ArgumentNullException.ThrowIfNull(from);
        if (_gradients.TryGetValue(to, out var held))
        {
            using var scope = NewDisposeScope();
            Own(to, held).AddInPlace(from.Tensor);
            return;
        }
        if (from.Rounded is { } rounded && TypeOf(to) == rounded.dtype)
        {
            _gradients[to] = new Held(rounded);
            from.Rounded = null;
            return;
        }
        // Who adds to it later copies it first if others have it yet.
        from.Owners++;
        _gradients[to] = from;
    }

    /// <summary>
    /// The gradient of a value, to which all readers have added: of the value's type. It is no longer here; null where no reader has made
    /// one.
    /// </summary>
    public Held? Complete(Value value)
    {
        if (!_gradients.Remove(value, out var held))
            return null;
        var type = _tape.IsNarrow(value) ? _narrow : float32;
        if (held.Tensor.dtype == type)
            return held;
        var rounded = new Held(held.Tensor.to(type).DetachFromDisposeScope());
        held.Release();
        return rounded;
    }

    /// <summary>The gradient of a value as it is, in fp32; null where no reader has made one. It belongs to the caller.</summary>
    public Tensor? Take(Value value)
    {
        if (!_gradients.Remove(value, out var held))
            return null;
        using var scope = NewDisposeScope();
        var taken = held is { Owners: 1 } && held.Tensor.dtype == float32 ? held.Tensor.alias() : held.Tensor.to(float32).clone();
        held.Release();
        return taken.DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var held in _gradients.Values)
            held.Release();
        _gradients.Clear();
    }

    /// <summary>What a reader that makes a gradient by itself makes it in: fp32 where it is added to others' or others add to it.</summary>
    public ScalarType TypeOfNext(Value value) => _gradients.ContainsKey(value) ? float32 : TypeOf(value);

    private ScalarType TypeOf(Value value) => _tape.IsNarrow(value) && _readers.GetValueOrDefault(value) == 1 ? _narrow : float32;

    // In fp32, and nobody else's.
    private Tensor Own(Value value, Held held)
    {
        if (held.Owners == 1 && held.Tensor.dtype == float32)
            return held.Tensor;
        var own = held.Tensor.dtype == float32 ? held.Tensor.clone() : held.Tensor.to(float32);
        held.Release();
        _gradients[value] = new Held(own.DetachFromDisposeScope());
        return own;
    }

    /// <summary>A gradient that several values may have at once.</summary>
    internal sealed class Held(Tensor tensor)
    {
        /// <summary>(rows, columns).</summary>
        public Tensor Tensor { get; } = tensor;

        /// <summary>The gradient in 16 bits, where somebody has made it.</summary>
        public Tensor? Rounded { get; set; }

        /// <summary>How many have it.</summary>
        public int Owners { get; set; } = 1;

        /// <summary>One of them no longer does.</summary>
        public void Release()
        {
            if (--Owners > 0)
                return;
            Tensor.Dispose();
            Rounded?.Dispose();
        }
    }
}
