using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>
/// A stage of a pipeline on a device of libtorch's: its part of the tape, and sums of gradients of its own parameters only. A unit is one
/// micro-batch, because products of other shapes are other algorithms of the library. What comes over a cut is copied from the memory of
/// the neighbour's device when a pass begins: that has ended its own by then.
/// </summary>
/// <param name="number">Number of the stage in its group.</param>
internal sealed class TorchStage(PipelineGroup group, int number, TorchDevice device) : PipelineStage(group)
{
    private readonly TapeStage _stage = group.Stages[number];
    private readonly StageParameters _parameters = new(device.Architecture, device.Places, group.Stages.Count);
    private readonly Dictionary<(BatchShape, Precision), Tape> _tapes = [];
    private readonly Slot?[] _slots = new Slot?[group.InFlight(number)];
    private readonly Crossing?[] _toPrevious = new Crossing?[number == 0 ? 0 : group.InFlight(number - 1)];
    // By the sum of all stages, what of it is this one's.
    private readonly Dictionary<DeviceVector, PiecedVector> _own = [];
    private IReadOnlyList<PipelineUnit> _units = [];
    private DropoutSeed _seed;
    private Precision _precision = Precision.Fp32;
    private double _lossScale;
    private GradientTree? _sums;
    private GradientBuffer? _into;
    // Of the last stage: read when all micro-batches have begun, because a number that is read waits for all before it.
    private readonly List<Tensor> _losses = [];
    private int _unit;
    private bool _isForward;

    /// <inheritdoc/>
    public override IReadOnlyList<SubtreeRoot> TakeRoots()
    {
        var roots = _sums?.Roots ?? [];
        if (Group.IsApart && HasRows && _parameters.RowsTo != number)
            OnDevice(() =>
            {
                foreach (var root in roots)
                    StageEmbeddings.Gather(_parameters.Table!, _own[root.Gradient].Rows!, MicroBatchesOf(root.Node), root.Scattered);
                return true;
            });
        return roots;
    }

    /// <inheritdoc/>
    public override bool HasRows => _parameters.RowsFrom == number;

    private TorchDevice Device => device;

    private bool IsLast => number == Group.Stages.Count - 1;

    /// <inheritdoc/>
    public override void Begin(IReadOnlyList<PipelineUnit> units, DropoutSeed seed, Precision precision, double lossScale)
    {
        _sums ??= new GradientTree(NewSum, (left, right) => _own[left].Add(_own[right]));
        _sums.Clear();
        _losses.ForEach(l => l.Dispose());
        _losses.Clear();
        (_units, _seed, _precision, _lossScale) = (units, seed, precision, lossScale);
        // Each stage copies what it reads now, so that few copies wait behind passes of the GPU where that lies.
        OnDevice(() =>
        {
            device.FreeWholeCopies();
            device.ParametersOf([.. _parameters.RangesHeldBy(number)]).Dispose();
            return true;
        });
    }

    /// <inheritdoc/>
    public override void BeginForward(int unit) => OnDevice(() =>
    {
        (_unit, _isForward) = (unit, true);
        var batch = BatchOf(unit);
        var tape = TapeOf(batch);
        ref var slot = ref _slots[unit % _slots.Length];
        slot?.Dispose();
        slot = null;
        var parameters = device.ParametersOf([.. _parameters.RangesHeldBy(number)]);
        slot = new Slot(tape, parameters, device.Open(tape, batch, parameters, _seed, _lossScale / batch.StepTargets));
        var incoming = Group.IsApart
            ? Unpack(_stage.Over(tape, true, false))
            : number > 0 ? Copied((TorchStage)Group[number - 1], s => s.SlotOf(unit).Made!, _stage.Incoming) : [];
        foreach (var (operation, x) in incoming)
            slot.Pass.Put(tape.Operations[operation].Output!, x);
        return true;
    });

    /// <inheritdoc/>
    public override void BeginBackward(int unit) => OnDevice(() =>
    {
        (_unit, _isForward) = (unit, false);
        var slot = SlotOf(unit);
        var values = _stage.Over(slot.Tape, false, true).ToList();
        var incoming = Group.IsApart
            ? Unpack(values)
            : IsLast ? [] : Copied(
                (TorchStage)Group[number + 1], s => s._toPrevious[unit % _slots.Length]!, values.Select(v => v.Operation));
        foreach (var (operation, dy) in incoming)
            slot.Pass.PutGradient(slot.Tape.Operations[operation].Output!, dy);
        _into = _sums!.Rent();
        return true;
    });

    /// <inheritdoc/>
    public override bool Advance() => OnDevice(() =>
    {
        var slot = SlotOf(_unit);
        if (_isForward)
        {
            slot.Pass.Forward(_stage.First, _stage.End);
            slot.Made = new Crossing(_stage.Over(slot.Tape, true, true), v => slot.Pass.Take(v));
        }
        else
        {
            var own = _own[_into!.Flat];
            own.Clear();
            slot.Parameters.AddTo(own);
            slot.Pass.Backward(_stage.First, _stage.End);
            if (number > 0)
            {
                ref var gradients = ref _toPrevious[_unit % _toPrevious.Length];
                gradients?.Dispose();
                gradients = new Crossing(_stage.Over(slot.Tape, false, false), v => slot.Pass.TakeGradient(v)
                    ?? throw new InvalidOperationException("a value that crosses a cut has no gradient"));
            }
        }
        // The neighbour reads it, on a stream of its own.
        device.WaitFor($"the {(_isForward ? "forward" : "backward")} pass of micro-batch {BatchOf(_unit).Index}");
        return true;
    }, _isForward ? "forward" : "backward");

    /// <inheritdoc/>
    public override double[] Add(int unit) => OnDevice(() =>
    {
        var slot = SlotOf(unit);
        if (IsLast)
            _losses.Add(slot.Pass.Losses.sum());
        _sums!.Add(new TreeNode(BatchOf(unit).Index, 1), _into!);
        slot.Dispose();
        _slots[unit % _slots.Length] = null;
        // The next passes come after it on this stream; other devices read the sums when the step's passes have ended.
        if (unit < _units.Count - 1)
            return [];
        device.WaitFor($"the sums of {_units.Count} micro-batches");
        return _losses.ConvertAll(l => l.item<double>()).ToArray();
    });

    /// <inheritdoc/>
    protected override long NumbersOver(int unit, bool isForward, bool isIncoming) =>
        _stage.Over(TapeOf(BatchOf(unit)), isForward, isForward != isIncoming).Sum(v => v.Value.Count);

    /// <inheritdoc/>
    public override unsafe void Pack(int unit, bool isForward, Span<byte> into)
    {
        var from = isForward ? SlotOf(unit).Made! : _toPrevious[unit % _toPrevious.Length]!;
        using var scope = NewDisposeScope();
        var floats = MemoryMarshal.Cast<byte, float>(into);
        foreach (var host in OnDevice(() => from.Tensors.Select(t => t.X.to(CPU).contiguous()).ToList()))
        {
            new ReadOnlySpan<float>(Native.Dispatcher.Floats(host), (int)host.numel()).CopyTo(floats);
            floats = floats[(int)host.numel()..];
        }
    }

    /// <inheritdoc/>
    public override void Close()
    {
        foreach (var slot in _slots)
            slot?.Dispose();
        foreach (var gradients in _toPrevious)
            gradients?.Dispose();
        Retire();
    }

    /// <summary>
    /// Frees what no other device reads while the passes of a step run, which is all but what crosses a cut; the garbage collector frees
    /// the rest.
    /// </summary>
    public void Retire()
    {
        foreach (var slot in _slots)
            slot?.Retire();
        foreach (var own in _own.Values)
            own.Dispose();
        _losses.ForEach(l => l.Dispose());
    }

    private T OnDevice<T>(Func<T> work, [CallerMemberName] string name = "") => device.OnDevice(
        work, $"stage {number} of {Group.Stages.Count}, {(_units.Count > 0 ? TorchDevice.ShapeOf(BatchOf(0)) : null)}", name);

    private MicroBatch BatchOf(int unit)
    {
        Invariant.Holds(_units[unit].MicroBatches.Count == 1, "a unit of a stage of libtorch's is one micro-batch");
        return _units[unit].MicroBatches[0];
    }

    private IEnumerable<MicroBatch> MicroBatchesOf(TreeNode node) =>
        _units.SelectMany(u => u.MicroBatches).Where(b => b.Index >= node.First && b.Index < node.End);

    private Slot SlotOf(int unit) => _slots[unit % _slots.Length]!;

    private Tape TapeOf(MicroBatch batch)
    {
        var shape = TorchDevice.ShapeOf(batch);
        return _tapes.TryGetValue((shape, _precision), out var tape)
            ? tape
            : _tapes[(shape, _precision)] = device.NewTape(TapePurpose.Training, shape, _precision);
    }

    // Each stage adds its own pieces to the sum of all, on its own device.
    private PiecedVector NewSum()
    {
        var sum = (PiecedVector)Group.Sum(_own.Count, () => new PiecedVector(device.Places.TrainedLength, []));
        var ranges = _parameters.RangesOwnedBy(number);
        var rows = HasRows && device.Apart is { } table ? device.NewVector(table.Offset, table.Count) : null;
        _own[sum] = new PiecedVector(sum.Length, [.. ranges.Select(r => device.NewVector(r.First, r.Count))], rows);
        sum.Include(_own[sum]);
        return sum;
    }

    private List<(int Operation, Tensor X)> Copied(TorchStage neighbour, Func<TorchStage, Crossing> of, IEnumerable<int> operations)
    {
        var (from, copies) = (of(neighbour), new List<(int, Tensor)>());
        try
        {
            foreach (var operation in operations)
            {
                var x = from.Tensors.First(t => t.Operation == operation).X;
                copies.Add((operation, device.CopyFrom(neighbour.Device, x)));
                CopiedBytes += x.numel() * sizeof(float);
            }
        }
        catch
        {
            copies.ForEach(c => c.Item2.Dispose());
            throw;
        }
        return copies;
    }

    private List<(int Operation, Tensor X)> Unpack(IEnumerable<(int Operation, Value Value)> values)
    {
        var floats = MemoryMarshal.Cast<byte, float>(Received.Span);
        var tensors = new List<(int, Tensor)>();
        foreach (var (operation, value) in values)
        {
            var count = checked((int)value.Count);
            using var host = tensor(floats[..count].ToArray(), [value.Rows, value.Columns], float32);
            tensors.Add((operation, device.Copy(host)));
            floats = floats[count..];
        }
        Invariant.Holds(floats.IsEmpty, "a pass reads all that came for it");
        return tensors;
    }

    /// <summary>What a micro-batch has between its two passes.</summary>
    private sealed record Slot(Tape Tape, PassParameters Parameters, ITapePass Pass) : IDisposable
    {
        /// <summary>What the next stage reads.</summary>
        public Crossing? Made { get; set; }

        /// <summary>Frees all but what the next stage reads.</summary>
        public void Retire()
        {
            Pass.Dispose();
            Parameters.Dispose();
        }

        public void Dispose()
        {
            Made?.Dispose();
            Retire();
        }
    }

    /// <summary>Values or gradients that go over a cut, fp32, by the operation that makes the value.</summary>
    private sealed class Crossing(IEnumerable<(int Operation, Value Value)> values, Func<Value, Tensor> of) : IDisposable
    {
        public IReadOnlyList<(int Operation, Tensor X)> Tensors { get; } = [.. values.Select(v => (v.Operation, of(v.Value)))];

        public void Dispose()
        {
            foreach (var (_, x) in Tensors)
                x.Dispose();
        }
    }
}
