using Elastic.Foundation;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>
/// Runs a tape on a GPU, forwards and backwards, operation by operation (<see cref="GpuOperators"/>), by our kernels, cublasLt and
/// FlashAttention-2. Narrow values and their gradients lie in memory in 16 bits. Nothing is kept longer than somebody reads it: values, and
/// what operations save, until the last step that needs them (<see cref="GpuPassPlan"/>); gradients until the operation has run that made
/// the value.
/// </summary>
internal sealed class GpuPass : ITapePass
{
    private readonly Dictionary<Value, Tensor> _values = [];
    private readonly Dictionary<Operation, IDisposable[]> _saved = [];
    private readonly HashSet<LinearOperation> _summed = [];
    private readonly Func<Tape, int, int, GpuPassPlan> _planOf;
    private GpuPassPlan? _plan;
    private Tensor? _losses;
    private int _now;
    private Operation? _isMade;

    /// <param name="planOf">What it does for a range of operations.</param>
    public GpuPass(
        Tape tape, GpuPassInputs inputs, GpuTools tools, GpuParameters parameters, Func<Tape, int, int, GpuPassPlan> planOf)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(tools);
        (Tape, Inputs, Tools, Parameters, _planOf) = (tape, inputs, tools, parameters, planOf);
        NarrowType = GpuParameters.TypeOf(tape.Precision) ?? float32;
        Gradients = new GpuGradients(tape, NarrowType, tools.Device);
    }

    /// <summary>The tape that runs.</summary>
    public Tape Tape { get; }

    /// <summary>What goes through.</summary>
    public GpuPassInputs Inputs { get; }

    /// <summary>What computes.</summary>
    public GpuTools Tools { get; }

    /// <summary>The parameters and their gradients.</summary>
    public GpuParameters Parameters { get; }

    /// <summary>The gradients of values.</summary>
    public GpuGradients Gradients { get; }

    /// <summary>The type of narrow values, in which products take what they multiply.</summary>
    public ScalarType NarrowType { get; }

    /// <inheritdoc/>
    public Tensor Losses
    {
        get => _losses ?? throw new InvalidOperationException("no head has run");
        set => _losses = value.DetachFromDisposeScope();
    }

    /// <summary>The gradient of the output of the operation that runs backwards, of the output's type.</summary>
    public GpuGradients.Held OutputGradient { get; private set; } = null!;

    /// <summary>The tensor of <see cref="OutputGradient"/>.</summary>
    public Tensor Dy => OutputGradient.Tensor;

    /// <summary>What runs after the operation that runs forwards; null where that is no forward pass.</summary>
    public Operation? Next => _plan!.Steps[_now] is var (index, kind) && _plan.Steps.ElementAtOrDefault(_now + 1) is var (next, nextKind)
        && _now + 1 < _plan.Steps.Count && (next, nextKind) == (index + 1, kind)
            ? Tape.Operations[next]
            : null;

    /// <summary>The operation before the one that runs; null for none.</summary>
    public Operation? Before => _plan!.Steps[_now].Index is var index && index > 0 ? Tape.Operations[index - 1] : null;

    /// <summary>The activations of a value, (rows, columns), of its type.</summary>
    public Tensor this[Value value] => _values[value];

    /// <summary>The type of a value.</summary>
    public ScalarType TypeOf(Value value) => Tape.IsNarrow(value) ? NarrowType : float32;

    /// <summary>Memory for a value that an operation makes.</summary>
    public Tensor New(Value value) => Made(value, empty(value.Rows, value.Columns, TypeOf(value), Tools.Device));

    /// <summary>What an operation has made of a value, of its type.</summary>
    public Tensor Made(Value value, Tensor y)
    {
        if (_values.Remove(value, out var old))
            old.Dispose();
        _values[value] = y.DetachFromDisposeScope();
        return y;
    }

    /// <summary>
    /// The memory of an input of the operation that runs forwards, to make its output in: a copy of it where others read it yet.
    /// </summary>
    public Tensor TakeOver(Value value)
    {
        if (!_plan!.EndingAt(_now).Contains(value))
            return _values[value].clone();
        _values.Remove(value, out var taken);
        return taken!;
    }

    /// <summary>The next operation has been computed with this one.</summary>
    public void MadeNext(Operation next) => _isMade = next;

    /// <summary>What an operation's forward pass leaves for its backward pass. It belongs to the pass from now on.</summary>
    public void Save(Operation operation, params IDisposable[] saved)
    {
        foreach (var tensor in saved.OfType<Tensor>())
            tensor.DetachFromDisposeScope();
        Release(operation);
        _saved[operation] = saved;
    }

    /// <summary>What an operation's forward pass has left.</summary>
    public T Saved<T>(Operation operation, int index)
        where T : IDisposable
        => (T)_saved[operation][index];

    /// <summary>
    /// The gradient of a bias to which the operation that makes the whole gradient of a value adds the sums of its columns, as it writes
    /// it: the linear layer that made the value does not sum them again. Who asks and gets one adds them. Null for none.
    /// </summary>
    public Tensor? BiasGradientToSum(Value value)
    {
        if (_plan!.SummableFor(value) is not { } linear || Parameters.Gradient(linear.Bias!) is not { } gradient)
            return null;
        _summed.Add(linear);
        return gradient;
    }

    /// <summary>True where another operation has summed the gradient of a linear layer's bias.</summary>
    public bool HasSummed(LinearOperation linear) => _summed.Contains(linear);

    /// <summary>The keys of a mask, one for each micro-batch.</summary>
    public ulong[] DropoutKeys(DropoutMask mask) =>
        [.. Enumerable.Range(Inputs.FirstMicroBatch, Tape.Shape.MicroBatches).Select(i => mask.Key(Inputs.Seed, i))];

    /// <inheritdoc/>
    public void Put(Value value, Tensor x)
    {
        using var scope = NewDisposeScope();
        _values[value] = x.to(TypeOf(value)).alias().DetachFromDisposeScope();
        x.Dispose();
    }

    /// <inheritdoc/>
    public void Forward(int first, int end)
    {
        using var noGradient = no_grad();
        _plan = _planOf(Tape, first, end);
        for (_now = 0; _now < _plan.ForwardSteps; _now++)
            RunStep();
    }

    /// <inheritdoc/>
    public Tensor Take(Value value)
    {
        using var scope = NewDisposeScope();
        return _values[value].to(float32).clone().DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public void PutGradient(Value value, Tensor dy) => Gradients.Give(value, dy);

    /// <inheritdoc/>
    public void Backward(int first, int end)
    {
        Invariant.Holds(_plan is { } plan && (plan.First, plan.End) == (first, end), "a pass goes back over the range that it came over");
        using var noGradient = no_grad();
        _plan.ReleasedBetween.ForEach(Drop);
        for (_now = _plan.ForwardSteps; _now < _plan.Steps.Count; _now++)
            RunStep();
    }

    /// <inheritdoc/>
    public Tensor? TakeGradient(Value value) => Gradients.Take(value);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tensor in _values.Values)
            tensor.Dispose();
        _values.Clear();
        foreach (var operation in _saved.Keys.ToList())
            Release(operation);
        Gradients.Dispose();
        _losses?.Dispose();
        Inputs.Dispose();
    }

    private void RunStep()
    {
        using var scope = NewDisposeScope();
        var (index, kind) = _plan!.Steps[_now];
        var operation = Tape.Operations[index];
        if (kind == PassKind.Backward)
            RunBackward(operation);
        else if (_isMade != operation)
            GpuOperators.Of(operation).Forward(this, operation);
        else
            _isMade = null;
        if (!_plan.KeepsSaved(_now))
            Release(operation);
        foreach (var value in _plan.EndingAt(_now))
            Drop(value);
    }

    private void RunBackward(Operation operation)
    {
        if (!GpuPassPlan.HasGradient(Tape, operation))
            return;
        if (operation.Output is not { } output)
        {
            GpuOperators.Of(operation).Backward(this, operation);
            return;
        }
        // None where nothing that reads the value leads to the loss.
        if (Gradients.Complete(output) is not { } dy)
            return;
        OutputGradient = dy;
        try
        {
            GpuOperators.Of(operation).Backward(this, operation);
        }
        finally
        {
            dy.Release();
        }
    }

    private void Drop(Value value)
    {
        if (_values.Remove(value, out var tensor))
            tensor.Dispose();
    }

    private void Release(Operation operation)
    {
        if (!_saved.Remove(operation, out var saved))
            return;
        foreach (var one in saved)
            one.Dispose();
    }
}
