using System.Globalization;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Splits;

/// <summary>
/// A stage of a network whose other stages are in other processes, each with memory for its own part alone. All processes take the same
/// steps (<see cref="TrainingStep"/>) of the same micro-batches at once, each for its parameters. Neighbours send each other activations
/// and their gradients; beyond that, of each step all get the losses and the sums of squares that make the gradient's norm, and a tied
/// embedding's owner gets rows, and sends it back. The bits are those of one device.
/// </summary>
public sealed class ApartStage : ICollective
{
    // A tied embedding is larger than what should wait to be sent. Of what the first stage stores, as many pieces are queued as may be.
    private const int PieceElements = 1 << 18, StoredElements = 1 << 16;

    private readonly IDeviceThread _device;
    private readonly IArchitecture _architecture;
    private readonly FlatLayout _layout;
    private readonly StageParameters _parameters;
    private readonly PipelineGroup _group;
    private readonly int _number;
    private readonly IReadOnlyList<StageLink?> _links;
    private readonly ReplicaVectors _vectors;
    private readonly StepDeadlines _deadlines;
    private readonly TimeProvider _time;
    // Of the device's work, while which a deadline looks at it.
    private readonly AwakeTime _awake;
    private readonly List<ScatteredRows> _rows = [];
    private readonly CancellationToken _stop;
    private long _step, _longestTicks;
    private bool _hasMet;
    private string? _aborted;

    /// <param name="device">Computes the stage; attached to <paramref name="vectors"/>.</param>
    /// <param name="number">Number of the stage.</param>
    /// <param name="links">To each stage; null for this one. Who made them disposes of them.</param>
    /// <param name="vectors">
    /// Vectors of the whole network; only this stage's part takes memory (<see cref="HostVector.Untouched"/>).
    /// </param>
    /// <param name="group">
    /// Sums of gradients and activations of steps before, which it uses again: of <see cref="NewGroup"/>; null for new ones.
    /// </param>
    /// <param name="deadlines">When another stage counts as lost; null for <see cref="StepDeadlines.Default"/>.</param>
    /// <param name="time">Measures the deadlines; null for the system's.</param>
    /// <param name="stop">Asks all stages to stop after the step under way: see <see cref="IsStopped"/>.</param>
    /// <exception cref="ElasticException">The network is not computed in so many processes.</exception>
    public ApartStage(
        IDeviceThread device, IArchitecture architecture, int number, IReadOnlyList<StageLink?> links, ReplicaVectors vectors,
        PipelineGroup? group = null, StepDeadlines? deadlines = null, TimeProvider? time = null, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(links);
        ArgumentNullException.ThrowIfNull(vectors);
        (_device, _architecture, _number, _links, _vectors, _stop) = (device, architecture, number, links, vectors, stop);
        (_deadlines, _time) = (deadlines ?? StepDeadlines.Default, time ?? TimeProvider.System);
        _awake = WaitDeadline.Awake(_time);
        _layout = vectors.Layout;
        _parameters = new StageParameters(architecture, _layout, links.Count);
        _group = group ?? NewGroup(architecture, links.Count);
        // A stage that owns nothing, as the first one that reads a tied embedding alone, takes steps all the same, of an empty slice.
        Slices = StageParameters.RunsOf(_parameters.OwnedBy(number)) is { Count: > 0 } runs ? runs : [default];
        Borrowed = StageParameters.RunsOf(_parameters.Copies.Where(c => c.Reader == number).Select(c => c.Parameter));
        Frozen = StageParameters.RunsOf(_parameters.HeldBy(number).Where(s => !s.Parameter.IsTrained));
    }

    /// <summary>True where a stage was asked to stop before the end of the last step: all stages know it after the same step.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>The runs of tiles that this stage updates; an empty one where it updates none.</summary>
    public IReadOnlyList<Slice> Slices { get; }

    /// <summary>The runs of parameters that this stage reads, and another stage updates.</summary>
    public IReadOnlyList<Slice> Borrowed { get; }

    /// <summary>The runs of frozen parameters that this stage reads.</summary>
    public IReadOnlyList<Slice> Frozen { get; }

    /// <summary>The parameters that this stage updates, by offset.</summary>
    public IEnumerable<Segment> Own => _parameters.OwnedBy(_number);

    /// <summary>What a stage keeps from one step to the next: sums of gradients of the whole network's places, and activations.</summary>
    /// <param name="stages">Number of the network's stages.</param>
    public static PipelineGroup NewGroup(IArchitecture architecture, int stages) => new(architecture, stages) { IsApart = true };

    /// <summary>The first parameters of those that this stage reads.</summary>
    public void Initialize(ulong seed) => Initialization.Fill(_vectors, seed, _parameters.HeldBy(_number));

    /// <summary>The inner steps of the replica, for this stage.</summary>
    public TrainingStep Step(IOptimizer optimizer, double clip, Precision? precision = null) => new(
        [.. Slices.Select(_ => _device)], this, _layout, optimizer, clip, precision, _deadlines, _time, apart: this);

    /// <summary>The passes of all micro-batches through this stage.</summary>
    /// <returns>
    /// The sum of the losses of each micro-batch's counted targets, nats; and the sums of gradients of this stage's parameters.
    /// </returns>
    internal async Task<(IReadOnlyList<double> Losses, IReadOnlyList<SubtreeRoot> Roots)> RunAsync(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale)
    {
        _step++;
        var last = _links.Count - 1;
        var most = await OnDeviceAsync(
            "preparation", d => Math.Min(d.MostTogether, PipelineAccumulation.MostTogether(microBatches.Count, _links.Count)));
        List<PipelineUnit> units =
        [
            .. MicroBatchGroups.Of(microBatches, _architecture.Vocabulary, most).Select(u => new PipelineUnit(u.Node, u.MicroBatches)),
        ];
        await OnDeviceAsync("preparation", d =>
        {
            // Another device may have had the stage in an earlier round.
            if (!_group.Holds(d.Stage, _number, 0))
                d.OpenStage(_group, _number, 0);
            d.Stage!.Begin(units, seed, precision, lossScale);
            return true;
        });
        var losses = new List<double>();
        foreach (var (unit, isForward, _) in PipelineSchedule.Of(_number, _links.Count, units.Count))
        {
            var (from, to) = isForward ? (_number - 1, _number + 1) : (_number + 1, _number - 1);
            var (frame, first) = (isForward ? StageFrame.Activations : StageFrame.Gradients, units[unit].Node.First);
            ReadOnlyMemory<byte> received = default;
            if (from >= 0 && from <= last)
            {
                var bytes = await OnDeviceAsync("preparation", d => d.Stage!.BytesOver(unit, isForward, true));
                received = await _links[from]!.ReceiveAsync(frame, _step, first, bytes, Patience);
            }
            var began = _awake.GetTimestamp();
            var what = string.Create(CultureInfo.InvariantCulture, $"{(isForward ? "forward" : "backward")} pass of micro-batch {first}");
            losses.AddRange(await OnDeviceAsync(what, d =>
            {
                d.Stage!.Received = received;
                if (!isForward)
                    return d.Stage.Backward(unit);
                d.Stage.Forward(unit);
                return [];
            }));
            _longestTicks = Math.Max(_longestTicks, _awake.GetElapsedTime(began).Ticks);
            if (to < 0 || to > last)
                continue;
            var outgoing = await OnDeviceAsync("preparation", d => d.Stage!.BytesOver(unit, isForward, false));
            await _links[to]!.SendAsync(frame, _step, first, outgoing, into => OnDeviceAsync("preparation", d =>
            {
                d.Stage!.Pack(unit, isForward, into.Span);
                return true;
            }), Patience);
        }
        losses = await TellAsync(last, StageFrame.Losses, losses, microBatches.Count);
        return (losses, await OnDeviceAsync("preparation", d => d.Roots));
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<double>> ReduceScatterAsync(
        IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices, TimeSpan deadline)
    {
        ArgumentNullException.ThrowIfNull(roots);
        CheckNotAborted();
        var own = await WithRowsAsync([.. roots.SelectMany(r => r)]);
        var sums = new Dictionary<int, double>();
        foreach (var slice in Slices)
        {
            var squares = await OnDeviceAsync("fold", d => d.FoldSlice(own, microBatches, slice));
            for (var i = 0; i < squares.Length; i++)
                sums[slice.FirstTile + i] = squares[i];
        }
        var told = await OnDeviceAsync("norm", d => _parameters.ToTell(_number, sums, d.SquaresOf).ToList());
        // In this frame because all stages wait for it in each step: so they stop after the same one.
        told.Add(_stop.IsCancellationRequested ? 1 : 0);
        var all = new IReadOnlyList<double>[_links.Count];
        for (var stage = 0; stage < all.Length; stage++)
            all[stage] = await TellAsync(stage, StageFrame.Squares, told, _parameters.SumsOf(stage) + 1);
        (IsStopped, _hasMet) = (all.Any(a => a[^1] != 0), true);
        return _parameters.TileSums(all);
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always: a stage has the sums of its own parameters alone.</exception>
    public Task ReduceBucketAsync(IReadOnlyList<PassBucket> buckets, TimeSpan deadline) =>
        throw new NotSupportedException("a stage has the sums of its own parameters alone: there is nothing to share");

    /// <inheritdoc/>
    /// <remarks>Each stage reads its own parameters; of the others' it gets those that it reads, too.</remarks>
    public async Task AllGatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline)
    {
        CheckNotAborted();
        foreach (var (parameter, owner, reader) in _parameters.Copies.Where(c => c.Owner == _number || c.Reader == _number))
        {
            for (var (at, piece) = (0L, 0); at < parameter.Count; at += PieceElements, piece++)
            {
                var (first, count) = (parameter.Offset + at, (int)Math.Min(PieceElements, parameter.Count - at));
                if (owner == _number)
                {
                    await _links[reader]!.SendAsync(
                        StageFrame.Parameters, _step, piece, count * sizeof(float),
                        into => CopyAsync(() => _vectors.CopyTo(VectorSet.Parameters, first, MemoryMarshal.Cast<byte, float>(into.Span))),
                        Patience);
                }
                else
                {
                    var bytes = await _links[owner]!.ReceiveAsync(StageFrame.Parameters, _step, piece, count * sizeof(float), Patience);
                    await CopyAsync(() => _vectors.CopyFrom(VectorSet.Parameters, first, MemoryMarshal.Cast<byte, float>(bytes.Span)));
                }
            }
        }
    }

    /// <summary>
    /// All stages together: the first one gets the elements of a vector that the others own, and has a whole chunk in memory at a time.
    /// </summary>
    /// <param name="vector">One that lies as the parameters do.</param>
    /// <param name="take">On the first stage: called with each chunk's number and elements, in order.</param>
    /// <exception cref="StageLostException">Another stage is gone.</exception>
    public async Task GatherAsync(string vector, Action<int, ReadOnlyMemory<float>> take)
    {
        ArgumentNullException.ThrowIfNull(take);
        var (whole, piece) = (_number == 0 ? new float[VectorManifest.ElementsOf(_layout.TrainedLength, 0)] : [], 0);
        for (var chunk = 0; chunk < _layout.Chunks; chunk++)
        {
            var (start, elements) = _layout.Chunk(chunk);
            Array.Clear(whole);
            foreach (var (owner, first, count) in StageParameters.Within(_parameters.Owners, start, elements, StoredElements))
            {
                if (_number == 0)
                {
                    var into = whole.AsMemory((int)(first - start), count);
                    if (owner == 0)
                        await CopyAsync(() => _vectors.CopyTo(vector, first, into.Span));
                    else
                        MemoryMarshal.Cast<byte, float>((await _links[owner]!.ReceiveAsync(
                            StageFrame.Elements, _step, piece, count * sizeof(float), Patience)).Span).CopyTo(into.Span);
                }
                else if (owner == _number)
                {
                    // The first stage reads it when it has stored all before it, however long that takes.
                    await _links[0]!.SendAsync(
                        StageFrame.Elements, _step, piece, count * sizeof(float),
                        bytes => CopyAsync(() => _vectors.CopyTo(vector, first, MemoryMarshal.Cast<byte, float>(bytes.Span))),
                        _deadlines.Most);
                }
                piece++;
            }
            if (_number == 0)
                take(chunk, whole.AsMemory(0, elements));
        }
    }

    /// <summary>The first stage tells all others what it has stored; they wait for it.</summary>
    /// <param name="own">What the first stage has stored; others give as many bytes, of any content.</param>
    /// <returns>What the first stage has told.</returns>
    /// <exception cref="StageLostException">The first stage is gone.</exception>
    public async Task<byte[]> TellStoredAsync(byte[] own)
    {
        ArgumentNullException.ThrowIfNull(own);
        if (_number > 0)
            return (await _links[0]!.ReceiveAsync(StageFrame.Stored, _step, 0, own.Length, _deadlines.Most)).ToArray();
        for (var other = 1; other < _links.Count; other++)
            await SendAsync(other, StageFrame.Stored, 0, own);
        return own;
    }

    /// <inheritdoc/>
    public void Abort(string why) => _aborted ??= why;

    // Another stage may still fetch what it begins from, for far longer than a pass takes, until all have ended a step.
    private TimeSpan Patience => _hasMet ? Deadline : _deadlines.Most;

    // Another stage may be as many passes behind as there are stages.
    private TimeSpan Deadline
    {
        get
        {
            var after = _deadlines.After(TimeSpan.FromTicks(_longestTicks * _links.Count));
            return _longestTicks == 0 || after > _deadlines.Most ? _deadlines.Most : after;
        }
    }

    private void CheckNotAborted()
    {
        if (_aborted is { } why)
            throw new OperationCanceledException($"this stage has ended: {why}");
    }

    // The owner of a tied embedding adds the rows that the first stage has summed; no other stage adds any.
    private async Task<IReadOnlyList<SubtreeRoot>> WithRowsAsync(IReadOnlyList<SubtreeRoot> own)
    {
        var (from, to) = (_parameters.RowsFrom, _parameters.RowsTo);
        if (from == to)
            return own;
        if (_number == from)
        {
            foreach (var (node, _, rows) in own)
                await SendAsync(to, StageFrame.Rows, node.First, await OnDeviceAsync("rows", _ => StageRows.Pack(rows)));
        }
        while (_rows.Count < own.Count)
            _rows.Add(new ScatteredRows());
        for (var i = 0; i < own.Count; i++)
        {
            _rows[i].Clear();
            if (_number == to)
            {
                var most = StageRows.Most(_parameters.Table!);
                var bytes = await _links[from]!.ReceiveAsync(
                    StageFrame.Rows, _step, own[i].Node.First, most, Patience, StageRows.Least);
                StageRows.Unpack(bytes.Span, _rows[i], _parameters.Table!);
            }
        }
        return [.. own.Select((root, i) => root with { Scattered = _rows[i] })];
    }

    // One stage tells all others so many numbers; returns them.
    private async Task<List<double>> TellAsync(int stage, StageFrame frame, List<double> own, int count)
    {
        if (stage != _number)
        {
            var bytes = await _links[stage]!.ReceiveAsync(frame, _step, 0, count * sizeof(double), Patience);
            return [.. MemoryMarshal.Cast<byte, double>(bytes.Span)];
        }
        Invariant.Holds(own.Count == count, "a stage tells as many numbers as others expect");
        var told = MemoryMarshal.AsBytes<double>(own.ToArray()).ToArray();
        for (var other = 0; other < _links.Count; other++)
        {
            if (other != _number)
                await SendAsync(other, frame, 0, told);
        }
        return own;
    }

    private Task SendAsync(int stage, StageFrame frame, int number, byte[] bytes) =>
        _links[stage]!.SendAsync(frame, _step, number, bytes.Length, into => bytes.CopyTo(into), Patience);

    // On the device's thread, because only there a lost GPU is told from what another attempt may mend.
    private Task<bool> CopyAsync(Action copy) => OnDeviceAsync("copy of parameters", d => d.Use(() =>
    {
        copy();
        return true;
    }));

    private async Task<T> OnDeviceAsync<T>(string what, Func<TrainingDevice, T> work)
    {
        var deadline = Deadline;
        using var limit = new WaitDeadline(_awake, deadline);
        var call = _device.RunAsync(work);
        if (!await limit.HasEndedAsync(call))
            throw new DeviceFailedException(_device.Id, isLost: true, string.Create(
                CultureInfo.InvariantCulture,
                $"stage {_number} of {_links.Count} ({_device.Id}) did not end its {what} within {deadline.TotalSeconds:0.#} s: it hangs"));
        return await call;
    }
}
