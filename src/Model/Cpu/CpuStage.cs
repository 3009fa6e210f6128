using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Cpu;

/// <summary>
/// A stage of a pipeline on CPU threads: its part of the tape, with memory for its own activations only. What comes over a cut is copied
/// from the neighbour's memory when a pass begins.
/// </summary>
/// <param name="number">Of the stage in its group.</param>
/// <param name="inputsOf">What passes of a step read of the device's replica.</param>
internal sealed unsafe class CpuStage(
    PipelineGroup group, int number, IArchitecture architecture, FlatLayout layout, double labelSmoothing, ThreadTeam team,
    RecomputeMode recompute, Func<DropoutSeed, Precision, double, TrainingInputs> inputsOf) : PipelineStage(group)
{
    private readonly TapeStage _stage = group.Stages[number];
    private readonly PassInputs _tokens = new(architecture);
    private readonly Dictionary<(BatchShape, Precision), (Tape Tape, MemoryPlan Plan)> _plans = [];
    // A slot for each unit that is between its two passes; the garbage collector frees what a neighbour may still read.
    private readonly StageSlot[] _slots =
        [.. Enumerable.Range(0, PipelineSchedule.InFlight(number, group.Stages.Count)).Select(_ => new StageSlot())];
    private readonly HostVector?[] _toPrevious =
        new HostVector?[number == 0 ? 0 : PipelineSchedule.InFlight(number - 1, group.Stages.Count)];
    private IReadOnlyList<PipelineUnit> _units = [];
    private IReadOnlyList<(long First, int Count)>? _pieces;
    private TrainingInputs? _inputs;
    private GradientTree? _sums;
    private int _made;
    private NativeBuffer? _arena;

    /// <inheritdoc/>
    public override IReadOnlyList<SubtreeRoot> OwnRoots => _sums?.Roots ?? [];

    /// <inheritdoc/>
    public override bool HasRows => _plans.Values.Any(p => Operations(p.Tape).Any(o => o.SumsRowsApart));

    private bool IsLast => number == Group.Stages.Count - 1;

    /// <inheritdoc/>
    public override void Begin(IReadOnlyList<PipelineUnit> units, DropoutSeed seed, Precision precision, double lossScale)
    {
        _sums ??= new GradientTree(() => Group.Sum(_made++, NewSum), Add);
        _sums.Clear();
        (_units, _inputs) = (units, inputsOf(seed, precision, lossScale));
    }

    /// <inheritdoc/>
    public override void Forward(int unit)
    {
        var (slot, microBatches) = (SlotOf(unit), _units[unit].MicroBatches);
        var first = microBatches[0];
        var pass = Open(slot, ShapeOf(microBatches));
        for (var i = 0; i < microBatches.Count; i++)
            _tokens.Take(microBatches[i], pass, i);
        pass.BeginStage(_arena!.Floats, slot.Kept!.Data, _inputs!, _inputs!.LossScale / first.StepTargets, first.Index);
        if (Group.IsApart)
            Take(ValuesOver(pass.Tape, true, true), value => pass[value]);
        else foreach (var operation in _stage.Incoming)
        {
            var previous = ((CpuStage)Group[number - 1]).SlotOf(unit);
            var value = pass.Tape.Operations[operation].Output!;
            Copy(pass, pass[value], previous.Pass!.Made(previous.Pass.Tape.Operations[operation].Output!), value.Count);
            GC.KeepAlive(previous);
        }
        pass.RunForward();
        GC.KeepAlive(slot);
    }

    /// <inheritdoc/>
    public override double[] Backward(int unit)
    {
        var (slot, node) = (SlotOf(unit), _units[unit].Node);
        var pass = slot.Pass!;
        if (Group.IsApart)
            Take(ValuesOver(pass.Tape, false, true), pass.Gradient);
        else if (!IsLast)
            TakeGradients(pass, ((CpuStage)Group[number + 1])._toPrevious[unit % _slots.Length]!);
        // The right half of a subtree is added to the left one as it is computed.
        if (_sums!.LeftOf(node) is { } left)
        {
            using var own = new ScatteredRows();
            pass.RunBackward(((HostVector)left.Flat).Data, true, own);
            left.Scattered.Add(own);
            _sums.AddedToLeft(node);
        }
        else
        {
            var buffer = _sums.Rent();
            pass.RunBackward(((HostVector)buffer.Flat).Data, false, buffer.Scattered);
            _sums.Add(node, buffer);
        }
        HandGradients(pass, unit);
        GC.KeepAlive(_inputs);
        GC.KeepAlive(slot);
        return IsLast ? CpuNetwork.LossesOf(pass, _units[unit].MicroBatches) : [];
    }

    /// <inheritdoc/>
    public override int BytesOver(int unit, bool isForward, bool isIncoming) => checked(
        (int)ValuesOver(PlannedOf(ShapeOf(_units[unit].MicroBatches)).Tape, isForward, isIncoming).Sum(v => v.Count) * sizeof(float));

    /// <inheritdoc/>
    public override void Pack(int unit, bool isForward, Span<byte> into)
    {
        var pass = SlotOf(unit).Pass!;
        var floats = MemoryMarshal.Cast<byte, float>(into);
        var gradients = isForward ? null : _toPrevious[unit % _toPrevious.Length]!.Data;
        foreach (var value in ValuesOver(pass.Tape, isForward, false))
        {
            var from = isForward ? pass.Made(value) : gradients;
            new ReadOnlySpan<float>(from, checked((int)value.Count)).CopyTo(floats);
            floats = floats[(int)value.Count..];
            gradients += value.Count;
        }
        GC.KeepAlive(this);
    }

    /// <inheritdoc/>
    public override void Close()
    {
        foreach (var slot in _slots)
            slot.Close();
        foreach (var gradients in _toPrevious)
            gradients?.Dispose();
        Retire();
    }

    /// <summary>Frees what no neighbour reads.</summary>
    public void Retire()
    {
        _arena?.Dispose();
        _arena = null;
    }

    private StageSlot SlotOf(int unit) => _slots[unit % _slots.Length];

    private IEnumerable<Operation> Operations(Tape tape) => tape.Operations.Take(_stage.First.._stage.End);

    // A stage that is alone in its process writes its own parameters' places alone.
    private HostVector NewSum() =>
        Group.IsApart ? HostVector.Untouched(layout.TrainedLength) : new HostVector(layout.TrainedLength);

    private static BatchShape ShapeOf(IReadOnlyList<MicroBatch> unit) =>
        new(unit.Count, unit[0].Rows, unit[0].Columns, unit[0].SourceColumns);

    // What goes over a cut, in the order in which it is packed.
    private IEnumerable<Value> ValuesOver(Tape tape, bool isForward, bool isIncoming)
    {
        var cut = isForward == isIncoming ? _stage.Incoming : _stage.Outgoing;
        return isForward ? cut.Select(i => tape.Operations[i].Output!) : Crossing(tape, cut);
    }

    private delegate float* PlaceOf(Value value);

    private void Take(IEnumerable<Value> values, PlaceOf place)
    {
        var floats = MemoryMarshal.Cast<byte, float>(Received.Span);
        foreach (var value in values)
        {
            floats[..checked((int)value.Count)].CopyTo(new Span<float>(place(value), (int)value.Count));
            floats = floats[(int)value.Count..];
        }
        Invariant.Holds(floats.IsEmpty, "a pass reads all that came for it");
    }

    private (Tape Tape, MemoryPlan Plan) PlannedOf(BatchShape shape)
    {
        var precision = _inputs!.Precision;
        if (!_plans.TryGetValue((shape, precision), out var planned))
        {
            var tape = new Tape(TapePurpose.Training, shape, layout, labelSmoothing, precision);
            architecture.Record(tape);
            planned = _plans[(shape, precision)] = (tape, new MemoryPlan(tape, team.Threads, recompute, _stage));
            Products.Reserve(team, Operations(tape).Max(o => o.ProductBytes(shape, team.Threads)));
            _pieces ??= PiecesOf(tape);
        }
        return planned;
    }

    private CpuPass Open(StageSlot slot, BatchShape shape)
    {
        var planned = PlannedOf(shape);
        var bytes = planned.Plan.Floats * sizeof(float);
        if (_arena is null || _arena.Bytes < bytes)
        {
            Retire();
            _arena = new NativeBuffer(bytes);
        }
        return slot.Open(planned.Tape, planned.Plan, team);
    }

    // The next stage's share of the gradients; this one's readers add to it.
    private void TakeGradients(CpuPass pass, HostVector from)
    {
        var at = 0L;
        foreach (var value in Crossing(pass.Tape, _stage.Outgoing))
        {
            Copy(pass, pass.Gradient(value), from.Data + at, value.Count);
            at += value.Count;
        }
        GC.KeepAlive(from);
    }

    // It stays until the stage before has read it: that begins no unit in this place before.
    private void HandGradients(CpuPass pass, int unit)
    {
        if (number == 0)
            return;
        ref var into = ref _toPrevious[unit % _toPrevious.Length];
        List<Value> values = [.. Crossing(pass.Tape, _stage.Incoming)];
        StageSlot.Reserve(ref into, values.Sum(v => v.Count));
        var at = 0L;
        foreach (var value in values)
        {
            Copy(pass, into!.Data + at, pass.Gradient(value), value.Count);
            at += value.Count;
        }
    }

    private static IEnumerable<Value> Crossing(Tape tape, IReadOnlyList<int> operations) =>
        operations.Select(i => tape.Operations[i].Output!).Where(tape.NeedsGradient);

    private static void Copy(CpuPass pass, float* into, float* from, long count) =>
        pass.ForElements(count, (first, elements) => Ranges.Copy(into + first, from + first, elements));

    // Of the stage's parameters alone: other stages add theirs.
    private void Add(DeviceVector left, DeviceVector right)
    {
        float* into = ((HostVector)left).Data, from = ((HostVector)right).Data;
        if (_pieces is { Count: > 0 } pieces)
            team.Run(new Additions(pieces, into, from), pieces.Count);
        GC.KeepAlive(left);
        GC.KeepAlive(right);
    }

    private List<(long First, int Count)> PiecesOf(Tape tape)
    {
        var pieces = new List<(long, int)>();
        foreach (var segment in Operations(tape).SelectMany(o => o.ParametersWritten).Distinct(StringComparer.Ordinal)
                     .Select(p => layout[p]).Where(s => s.Parameter.IsTrained))
        {
            for (var first = segment.Offset; first < segment.End; first += Additions.Elements)
                pieces.Add((first, (int)Math.Min(Additions.Elements, segment.End - first)));
        }
        return pieces;
    }

    private readonly struct Additions(IReadOnlyList<(long First, int Count)> pieces, float* into, float* from) : IParallelWork
    {
        public const int Elements = 65_536;

        public void Run(int piece)
        {
            var (first, count) = pieces[piece];
            Ranges.Add(into + first, into + first, from + first, count);
        }
    }
}
