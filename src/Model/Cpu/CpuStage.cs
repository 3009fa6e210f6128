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
/// A stage of a pipeline on CPU threads, or a rank of it: its part of the tape, with memory for its own activations only. What comes over a
/// cut is copied from the memory of the same rank of the neighbour when a pass begins.
/// </summary>
/// <param name="number">Number of the stage in its group.</param>
/// <param name="rank">
/// Number among the devices that share the stage; the first has the sums of gradients, of which each writes its share.
/// </param>
/// <param name="arena">Arena of the device.</param>
/// <param name="inputsOf">What passes of a step read of the device's replica.</param>
internal sealed unsafe class CpuStage(
    PipelineGroup group, int number, int rank, IArchitecture architecture, FlatLayout layout, double labelSmoothing, ThreadTeam team,
    RecomputeMode recompute, StageArena arena, Func<DropoutSeed, Precision, double, TrainingInputs> inputsOf) : PipelineStage(group)
{
    private readonly TapeStage _stage = group.Stages[number];
    private readonly TensorShare? _share = group.Tensor == 1 ? null : new TensorShare(rank, group.Tensor);
    private readonly ScatteredRows _ownRows = new();
    private readonly PassInputs _tokens = new(architecture);
    private readonly Dictionary<(BatchShape, Precision), (Tape Tape, MemoryPlan Plan)> _plans = [];
    // A slot for each unit that is between its two passes; the garbage collector frees what a neighbour may still read.
    private readonly StageSlot[] _slots =
        [.. Enumerable.Range(0, group.InFlight(number)).Select(_ => new StageSlot())];
    private readonly HostVector?[] _toPrevious = new HostVector?[number == 0 ? 0 : group.InFlight(number - 1)];
    private IReadOnlyList<PipelineUnit> _units = [];
    private IReadOnlyList<(long First, int Count)>? _pieces;
    private TrainingInputs? _inputs;
    private GradientTree? _sums;
    private int _made;
    // The pass that has begun.
    private int _unit;
    private bool _isForward, _isJoined;
    // Where its gradients go, and the rows of embeddings.
    private (GradientBuffer Buffer, bool Adds) _into;
    private ScatteredRows? _rows;

    /// <inheritdoc/>
    public override IReadOnlyList<SubtreeRoot> TakeRoots() => First._sums?.Roots ?? [];

    /// <inheritdoc/>
    public override bool HasRows => _plans.Values.Any(p => Operations(p.Tape).Any(o => o.SumsRowsApart));

    private bool IsLast => number == Group.Stages.Count - 1;

    private CpuStage First => (CpuStage)Group[number];

    /// <inheritdoc/>
    public override void Begin(IReadOnlyList<PipelineUnit> units, DropoutSeed seed, Precision precision, double lossScale)
    {
        if (rank == 0)
        {
            _sums ??= new GradientTree(() => Group.Sum(_made++, NewSum), Add);
            _sums.Clear();
        }
        (_units, _inputs) = (units, inputsOf(seed, precision, lossScale));
    }

    /// <inheritdoc/>
    public override void BeginForward(int unit)
    {
        var (slot, microBatches) = (SlotOf(unit), _units[unit].MicroBatches);
        var first = microBatches[0];
        _share?.CheckRows(microBatches);
        (_unit, _isForward, _isJoined) = (unit, true, false);
        var pass = Open(slot, ShapeOf(microBatches));
        for (var i = 0; i < microBatches.Count; i++)
            _tokens.Take(microBatches[i], pass, i);
        pass.BeginStage(arena.Data, slot.Kept!.Data, _inputs!, _inputs!.LossScale / first.StepTargets, first.Index);
        if (Group.IsApart)
            Take(ValuesOver(pass.Tape, true, true), value => pass[value]);
        else foreach (var operation in _stage.Incoming)
        {
            var previous = ((CpuStage)Group[number - 1, rank]).SlotOf(unit);
            var value = pass.Tape.Operations[operation].Output!;
            Copy(pass, pass[value], previous.Pass!.Made(previous.Pass.Tape.Operations[operation].Output!), value.Count);
            CopiedBytes += value.Count * sizeof(float);
            GC.KeepAlive(previous);
        }
        GC.KeepAlive(this);
    }

    /// <inheritdoc/>
    public override void BeginBackward(int unit)
    {
        var pass = SlotOf(unit).Pass!;
        (_unit, _isForward, _isJoined) = (unit, false, false);
        // Before the next stage's gradients go there: a larger unit may have made the arena grow since.
        pass.MoveTo(arena.Data);
        if (Group.IsApart)
            Take(ValuesOver(pass.Tape, false, true), pass.Gradient);
        else if (!IsLast)
            TakeGradients(pass, ((CpuStage)Group[number + 1, rank])._toPrevious[unit % _slots.Length]!);
        // The right half of a subtree is added to the left one as it is computed.
        if (rank == 0)
            _into = _sums!.LeftOf(_units[unit].Node) is { } left ? (left, true) : (_sums.Rent(), false);
        pass.BeginBackward();
        GC.KeepAlive(this);
    }

    /// <inheritdoc/>
    public override bool Advance()
    {
        var pass = SlotOf(_unit).Pass!;
        if (!_isJoined)
            Join(pass);
        var isOver = pass.RunSegment(_isForward);
        if (isOver && !_isForward)
            HandGradients(pass, _unit);
        // And with it the group, whose other ranks' memory it reads.
        GC.KeepAlive(this);
        return isOver;
    }

    /// <inheritdoc/>
    public override double[] Add(int unit)
    {
        var ((node, microBatches), (buffer, adds), pass) = (_units[unit], _into, SlotOf(unit).Pass!);
        for (var i = 0; i < Group.Tensor; i++)
        {
            // Each token's rows are one rank's, and each row's loss.
            var its = (CpuStage)Group[number, i];
            if (its._rows != buffer.Scattered)
                buffer.Scattered.Add(its._rows!);
            if (IsLast && its._share is { } share)
            {
                var (first, count) = share.RowsOf(pass.Shape.Rows);
                its.SlotOf(unit).Pass!.Losses.AsSpan(first, count).CopyTo(pass.Losses.AsSpan(first));
            }
        }
        if (adds)
            _sums!.AddedToLeft(node);
        else
            _sums!.Add(node, buffer);
        return IsLast ? CpuNetwork.LossesOf(pass, microBatches) : [];
    }

    /// <inheritdoc/>
    protected override long NumbersOver(int unit, bool isForward, bool isIncoming) =>
        ValuesOver(PlannedOf(ShapeOf(_units[unit].MicroBatches)).Tape, isForward, isIncoming).Sum(v => v.Count);

    /// <inheritdoc/>
    public override void Pack(int unit, bool isForward, Span<byte> into)
    {
        var pass = SlotOf(unit).Pass!;
        var floats = MemoryMarshal.Cast<byte, float>(into);
        // Gradients lie one behind the other.
        var gradients = isForward ? null : _toPrevious[unit % _toPrevious.Length]!.Data;
        foreach (var value in ValuesOver(pass.Tape, isForward, false))
        {
            float* from;
            if (isForward)
            {
                from = pass.Made(value);
            }
            else
            {
                from = gradients;
                gradients += value.Count;
            }
            new ReadOnlySpan<float>(from, checked((int)value.Count)).CopyTo(floats);
            floats = floats[(int)value.Count..];
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
        arena.Close();
        _ownRows.Dispose();
    }

    /// <summary>Frees what no other device reads; the garbage collector frees the rest with the group.</summary>
    public void Retire()
    {
        if (Group.Tensor == 1)
            arena.Close();
    }

    private StageSlot SlotOf(int unit) => _slots[unit % _slots.Length];

    private IEnumerable<Operation> Operations(Tape tape) => tape.Operations.Take(_stage.First.._stage.End);

    // A stage that is alone in its process writes its own parameters' places alone.
    private HostVector NewSum() =>
        Group.IsApart ? HostVector.Untouched(layout.TrainedLength) : new HostVector(layout.TrainedLength);

    private static BatchShape ShapeOf(IReadOnlyList<MicroBatch> unit) =>
        new(unit.Count, unit[0].Rows, unit[0].Columns, unit[0].SourceColumns);

    private IEnumerable<Value> ValuesOver(Tape tape, bool isForward, bool isIncoming) =>
        _stage.Over(tape, isForward, isForward != isIncoming).Select(v => v.Value);

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
            var tape = new Tape(TapePurpose.Training, shape, layout, labelSmoothing, precision, _share);
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
        arena.Reserve(planned.Plan.Floats);
        return slot.Open(planned.Tape, planned.Plan, team);
    }

    // All ranks have begun the pass.
    private void Join(CpuPass pass)
    {
        _isJoined = true;
        var first = First.SlotOf(_unit).Pass!;
        if (_share is not null && (pass.Ranks.Count == 0 || pass.Ranks[0] != first))
            pass.Ranks = [.. Enumerable.Range(0, Group.Tensor).Select(i => ((CpuStage)Group[number, i]).SlotOf(_unit).Pass!)];
        if (_isForward)
            return;
        var (buffer, adds) = First._into;
        _ownRows.Clear();
        _rows = _share is null && !adds ? buffer.Scattered : _ownRows;
        pass.WriteInto(((HostVector)buffer.Flat).Data, adds, _rows);
    }

    // The next stage's share of the gradients; this one's readers add to it.
    private void TakeGradients(CpuPass pass, HostVector from)
    {
        var at = 0L;
        foreach (var value in ValuesOver(pass.Tape, false, true))
        {
            Copy(pass, pass.Gradient(value), from.Data + at, value.Count);
            CopiedBytes += value.Count * sizeof(float);
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
        List<Value> values = [.. ValuesOver(pass.Tape, false, false)];
        StageSlot.Reserve(ref into, values.Sum(v => v.Count));
        var at = 0L;
        foreach (var value in values)
        {
            Copy(pass, into!.Data + at, pass.Gradient(value), value.Count);
            at += value.Count;
        }
    }

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
