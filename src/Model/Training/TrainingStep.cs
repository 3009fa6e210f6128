using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// One inner step of a replica, from micro-batches to new parameters: narrow, accumulate, reduce, norm, clip, mirror, update, gather. No
/// device begins a part before all devices have ended the last one.
///
/// The bits of the result depend on the micro-batches only: not on the number of devices, nor on which device computed what. So where
/// devices come or go between two steps, whoever takes the steps makes a <see cref="TrainingStep"/> of the devices that there are now.
///
/// A step that fails once its update has begun leaves half-updated vectors: no further step is taken from them.
/// </summary>
public sealed class TrainingStep
{
    private readonly IReadOnlyList<IDeviceThread> _devices;
    private readonly ICollective _collective;
    private readonly IOptimizer _optimizer;
    private readonly IReadOnlyList<Slice> _slices;
    private readonly IReadOnlyList<Slice> _frozen;
    private readonly double _clip;
    private readonly Precision _precision;
    private readonly StepDeadlines _deadlines;
    private readonly TimeProvider _time;
    private readonly Ranks _ranks;
    private readonly ShardedAccumulation? _shards;
    private readonly PipelineAccumulation? _pipelines;
    private readonly List<TensorGroup> _groups;
    private readonly ReplicaVectors? _mirror;
    private readonly ApartStage? _apart;
    private bool _isFrozenNarrow;
    private bool _isFrozenMirrored;
    private string? _failure;

    /// <summary>As the last step left it; null before the first one, and where the loss is not scaled.</summary>
    public LossScale? Scale { get; private set; }

    /// <summary>True where the last step overflowed: it has used its samples, and nothing else has changed but the loss scale.</summary>
    public bool IsSkipped { get; private set; }

    /// <param name="devices">All attached to the replica's vectors, in the order of <paramref name="collective"/>'s devices.</param>
    /// <param name="layout">The layout of the replica's vectors.</param>
    /// <param name="clip">Largest global norm of the gradient; 0 for none.</param>
    /// <param name="precision">In what the step keeps its numbers; null for fp32.</param>
    /// <param name="deadlines">When a device counts as lost; null for <see cref="StepDeadlines.Default"/>.</param>
    /// <param name="time">Measures the deadlines; null for the system's.</param>
    /// <param name="zero">
    /// The stage of ZeRO (Rajbhandari et al. 2020). 1: each device updates its slice of the parameters and moments, which there are once.
    /// 2: each device holds its slice of the gradients only, too. The bits are the same.
    /// </param>
    /// <param name="tensor">
    /// Devices that compute each micro-batch together (<see cref="TensorGroup"/>), a power of two and no more than there are; 1 where each
    /// computes micro-batches by itself. A group has a gradient once, whatever <paramref name="zero"/> says. The bits are the same. With
    /// several <paramref name="stages"/>, so many share each stage's layers.
    /// </param>
    /// <param name="mirror">
    /// Vectors of the same kind as the replica's, which hold its state of before the update while there is one; null for none. See
    /// <see cref="IsUpdating"/>.
    /// </param>
    /// <param name="stages">
    /// Stages of pipelines: as many devices after one another, or groups of <paramref name="tensor"/> devices, compute a network together,
    /// each its own layers; 1 for none. No more than <see cref="TapeStage.Most"/>, nor than there are devices for. With several, each
    /// pipeline has a gradient once, whatever <paramref name="zero"/> says.
    /// </param>
    /// <param name="chunks">Pieces of the network that each stage has (<see cref="PipelineSchedule"/>); 1 without stages.</param>
    /// <param name="apart">
    /// The stage that this process computes of a network whose other stages are elsewhere; null where all devices are here. It is the
    /// collective then, and its device is there once for each of <see cref="ApartStage.Slices"/>.
    /// </param>
    public TrainingStep(
        IReadOnlyList<IDeviceThread> devices, ICollective collective, FlatLayout layout, IOptimizer optimizer, double clip,
        Precision? precision = null, StepDeadlines? deadlines = null, TimeProvider? time = null, int zero = 1,
        ReplicaVectors? mirror = null, int stages = 1, int tensor = 1, int chunks = 1, ApartStage? apart = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stages, 1);
        ArgumentNullException.ThrowIfNull(devices);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(tensor, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(chunks, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)stages * tensor, devices.Count);
        (_devices, _collective, _optimizer, _clip, _precision) = (devices, collective, optimizer, clip, precision ?? Precision.Fp32);
        (_deadlines, _time) = (deadlines ?? StepDeadlines.Default, time ?? TimeProvider.System);
        _ranks = new Ranks(devices, _time);
        _apart = apart;
        _slices = apart?.Slices ?? Slice.Split(layout, devices.Count, optimizer.Granularity);
        _pipelines = stages > 1 ? new PipelineAccumulation(devices, stages, tensor, chunks, _deadlines, _time) : null;
        _groups = tensor == 1 || stages > 1 ? [] : [.. devices.Chunk(tensor).Where(g => g.Length == tensor)
            .Select(g => new TensorGroup(g, _deadlines, _time))];
        _shards = zero == 2 && stages == 1 && tensor == 1
            ? new ShardedAccumulation(_ranks, devices.Count, collective, _slices, _deadlines, _time) : null;
        _mirror = mirror;
        _frozen = apart?.Frozen ?? [new Slice(layout.Tiles, (int)(layout.FrozenLength / FlatLayout.Tile))];
    }

    /// <summary>
    /// After a step that failed: false where the replica's vectors are as they were before the step. Where it is true, they may be half
    /// updated, and the mirror is what they were. A device that did not end may still write to them, to their working copy, and to the
    /// mirror where this is false.
    /// </summary>
    public bool IsUpdating { get; private set; }

    /// <summary>Takes the step.</summary>
    /// <param name="microBatches">All micro-batches of the step, in order.</param>
    /// <param name="learningRate">The learning rate of this step.</param>
    /// <param name="number">1 for the replica's first step.</param>
    /// <returns>The step's loss, nats per counted target; 0 where none is counted.</returns>
    /// <exception cref="ElasticException">
    /// The gradient is not finite, even with a loss scale of 1 where there is one; the parameters have not changed.
    /// </exception>
    /// <exception cref="DeviceFailedException">A device failed, or did not end in time. No further step is taken.</exception>
    /// <exception cref="InvalidOperationException">A step has failed before: the vectors may be half updated.</exception>
    public async Task<double> RunAsync(IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, double learningRate, long number)
    {
        ArgumentNullException.ThrowIfNull(microBatches);
        if (_failure is { } why)
            throw new InvalidOperationException($"no step is taken after one that failed ({why}): load the replica's vectors anew");
        try
        {
            return await TakeAsync(microBatches, seed, learningRate, number);
        }
        catch (Exception e) when (IsUpdating || e is not ElasticException)
        {
            _failure = e.Message;
            _collective.Abort($"a step has failed: {e.Message}");
            throw;
        }
    }

    private async Task<double> TakeAsync(IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, double learningRate, long number)
    {
        LossScale? scale = _precision.ScalesLoss ? (await OnFirstAsync("reading the loss scale", d => d.LossScale)) : null;

        // Narrow: each owner rounds its slice of the parameters into the working copy that all devices' products read.
        if (_precision.IsNarrow)
            await NarrowAsync();

        // Accumulate and reduce: each owner gets its slice of the sum over all micro-batches.
        using var passes = new WaitDeadline(_time, WaitDeadline.None);
        var (losses, deadline, squares) = await (
            _apart is not null ? SumApartAsync(_apart, microBatches, seed, scale?.Value ?? 1, passes)
            : _pipelines is not null ? SumInStagesAsync(_pipelines, microBatches, seed, scale?.Value ?? 1, passes)
            : _shards is not null ? SumInShardsAsync(_shards, microBatches, seed, scale?.Value ?? 1, passes)
            : SumAsync(microBatches, seed, scale?.Value ?? 1, passes));
        var loss = losses.Sum() / microBatches[0].StepTargets;

        // Norm and clip: over all tiles, in tile order. An overflow on any device makes the norm infinite, or no number.
        var norm = GradientNorm.Fold(squares);
        if (!double.IsFinite(norm) && scale is { } tooLarge)
        {
            await SkipAsync(tooLarge, loss, number);
            return loss;
        }
        if (!double.IsFinite(norm))
            throw new ElasticException($"the gradient's norm became {norm} at inner step {number}: " +
                                       "use a smaller optimizer.learning-rate or more optimizer.warmup-steps");
        // The gradient is that of the scaled loss: the optimizer divides it by the scale as it clips it.
        var factor = scale?.Value ?? 1;
        var step = new OptimizerStep(
            learningRate, number - (scale?.SkippedSteps ?? 0), GradientNorm.ClipCoefficient(norm / factor, _clip) / factor);

        // Update: each owner updates its slice of the parameters and of the optimizer's vectors.
        await BeginUpdateAsync(deadline);
        await _ranks.RunAsync("update", _deadlines.Most, (d, rank) =>
        {
            d.UpdateSlice(_slices[rank], _optimizer, step);
            return true;
        }, BehindInSlices(deadline));

        // Gather: each device has all slices of the parameters again.
        await _collective.AllGatherAsync(_slices, deadline);
        if (scale?.AfterCleanStep() is { } next)
            await WriteAsync(next);
        IsUpdating = false;
        (Scale, IsSkipped) = (scale?.AfterCleanStep(), false);
        return loss;
    }

    // Each device, or group of devices, sums the gradients of its range of micro-batches, along the tree as far as they are neighbours;
    // then each owner sums its slice of all devices' subtree roots, in tree order.
    private async Task<Gradient> SumAsync(IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, double lossScale, WaitDeadline passes)
    {
        var accumulated = _groups.Count > 0 ? await SumInGroupsAsync(microBatches, seed, lossScale) : await _ranks.RunAsync(
            "forward and backward pass", _deadlines.Most,
            (d, rank) => (Losses: d.Accumulate(RangeOf(rank, _devices.Count, microBatches), seed, _precision, lossScale), d.Roots),
            // A device without a micro-batch ends at once, and says nothing of the others.
            microBatches.Count >= _devices.Count ? _deadlines.After : null);
        // A sum of the vector takes no longer than a pass through the network.
        var deadline = _deadlines.After(passes.Waited);
        var squares = await _collective.ReduceScatterAsync([.. accumulated.Select(a => a.Roots)], microBatches.Count, _slices, deadline);
        return new Gradient([.. accumulated.SelectMany(a => a.Losses)], deadline, squares);
    }

    // Each group of devices has the sum of its range of micro-batches, as one device has it above.
    private async Task<Gradient> SumInStagesAsync(
        PipelineAccumulation pipelines, IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, double lossScale, WaitDeadline passes)
    {
        var (losses, roots) = await pipelines.RunAsync(microBatches, seed, _precision, lossScale);
        var deadline = _deadlines.After(passes.Waited);
        return new Gradient(losses, deadline, await _collective.ReduceScatterAsync(roots, microBatches.Count, _slices, deadline));
    }

    // Here are the sums of one stage's parameters; the losses are the last stage's.
    private async Task<Gradient> SumApartAsync(
        ApartStage apart, IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, double lossScale, WaitDeadline passes)
    {
        var (losses, roots) = await apart.RunAsync(microBatches, seed, _precision, lossScale);
        var deadline = _deadlines.After(passes.Waited);
        return new Gradient(losses, deadline, await apart.ReduceScatterAsync([roots], microBatches.Count, _slices, deadline));
    }

    // The first rank of each group brings what the group has; the others fold their slices there.
    private async Task<(double[] Losses, IReadOnlyList<SubtreeRoot> Roots)[]> SumInGroupsAsync(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, double lossScale)
    {
        var groups = await Task.WhenAll(_groups.Select((group, i) =>
            group.AccumulateAsync(RangeOf(i, _groups.Count, microBatches), seed, _precision, lossScale)));
        var (each, first) = (_groups[0].Count, groups.First(g => g.Roots.Count > 0).Roots[0].Gradient);
        // Devices that are left over, and groups without a micro-batch, fold their slices into what others have.
        await _ranks.RunAsync("forward and backward pass", _deadlines.Most, (d, rank) =>
        {
            if (rank / each >= groups.Length || groups[rank / each].Roots.Count == 0)
                d.InTensorGroup().BeginStep(first);
            return true;
        });
        return [.. _devices.Select((_, rank) => rank % each == 0 && rank / each < groups.Length ? groups[rank / each] : ([], []))];
    }

    // Each owner has its slice of all micro-batches already.
    private async Task<Gradient> SumInShardsAsync(
        ShardedAccumulation shards, IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, double lossScale, WaitDeadline passes)
    {
        var losses = await shards.RunAsync(microBatches, seed, _precision, lossScale);
        var deadline = _deadlines.After(passes.Waited);
        var squares = await _ranks.RunAsync("fold", deadline, (d, rank) => d.FoldSlice(d.Roots, microBatches.Count, _slices[rank]));
        return new Gradient(losses, deadline, [.. squares.SelectMany(s => s)]);
    }

    // How long others may take for their slices once the first has done its own. What a pass took says nothing of it: an optimizer may
    // take far longer (Muon), and so may a disk that vectors lie on. Nor does the first where slices differ; and where they do not, one may
    // find in memory what another reads from a disk: what the rest of a step has anyway is the least.
    private Func<TimeSpan, TimeSpan>? BehindInSlices(TimeSpan least) => _apart is null && _optimizer.Granularity == UpdateGranularity.Tiles
        ? first => _deadlines.After(first) is var behind && behind > least ? behind : least
        : null;

    // Mirror: the neighbour of each owner copies its slice. From then on a device that is lost takes nothing with it.
    private async Task BeginUpdateAsync(TimeSpan least)
    {
        if (_mirror is { } mirror)
        {
            IReadOnlyList<string> names = [VectorSet.Parameters, .. _optimizer.Vectors];
            var frozen = _isFrozenMirrored ? default : _frozen[0];
            await _ranks.RunAsync("mirroring", _deadlines.Most, (d, rank) =>
            {
                d.CopySlice(_slices[(rank + 1) % _slices.Count], names, mirror);
                if (rank == 0)
                    d.CopyRest(frozen, _precision.Vectors, mirror);
                return true;
            }, frozen.Count > 0 ? null : BehindInSlices(least));               // the first device has more to copy
            _isFrozenMirrored = true;
        }
        IsUpdating = true;
    }

    // What is frozen stays as it is: it is rounded once.
    private async Task NarrowAsync()
    {
        if (!_isFrozenNarrow && _frozen.Any(f => f.Count > 0))
            await OnFirstAsync("rounding frozen weights", d =>
            {
                foreach (var slice in _frozen)
                    d.NarrowSlice(slice, _precision);
                return true;
            });
        _isFrozenNarrow = true;
        await _ranks.RunAsync("rounding", _deadlines.Most, (d, rank) =>
        {
            d.NarrowSlice(_slices[rank], _precision);
            foreach (var slice in rank == 0 && _apart is not null ? _apart.Borrowed : [])
                d.NarrowSlice(slice, _precision);
            return true;
        });
    }

    // The step has used its samples; parameters, moments and the optimizer's count stay as they were.
    private async Task SkipAsync(LossScale scale, double loss, long number)
    {
        if (!double.IsFinite(loss))
            throw new ElasticException(
                $"the loss became {loss} at inner step {number}: an activation is larger than fp16's largest number, 65504, or the " +
                "training diverges; use run.precision = bf16, or a smaller optimizer.learning-rate");
        if (scale.AfterOverflow() is not { } next)
            throw new ElasticException(
                $"the gradient of inner step {number} is not finite in fp16, even where the loss is not scaled: " +
                "use run.precision = bf16, or a smaller optimizer.learning-rate");
        await BeginUpdateAsync(TimeSpan.Zero);
        await WriteAsync(next);
        IsUpdating = false;
        (Scale, IsSkipped) = (next, true);
    }

    private Task<bool> WriteAsync(LossScale scale) => OnFirstAsync("writing the loss scale", d =>
    {
        d.LossScale = scale;
        return true;
    });

    private async Task<T> OnFirstAsync<T>(string what, Func<TrainingDevice, T> act) =>
        (await _ranks.RunAsync(what, _deadlines.Most, (d, rank) => rank == 0 ? act(d) : default))[0]!;

    // Contiguous ranges whose sizes differ by one at most.
    private static List<MicroBatch> RangeOf(int index, int count, IReadOnlyList<MicroBatch> all)
    {
        var (first, end) = ((long)all.Count * index / count, (long)all.Count * (index + 1) / count);
        return [.. all.Skip((int)first).Take((int)(end - first))];
    }

    // Each owner has its slice of the sum.
    private sealed record Gradient(IReadOnlyList<double> Losses, TimeSpan Deadline, IReadOnlyList<double> Squares);
}
