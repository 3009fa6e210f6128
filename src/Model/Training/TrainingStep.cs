using Elastic.Foundation;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// One inner step of a replica, from micro-batches to new parameters: narrow, accumulate, reduce, norm, clip, update, gather. No device
/// begins a part before all devices have ended the last one.
///
/// The bits of the result depend on the micro-batches only: not on the number of devices, nor on which device computed what.
/// </summary>
public sealed class TrainingStep
{
    private readonly IReadOnlyList<IDeviceThread> _devices;
    private readonly ICollective _collective;
    private readonly IOptimizer _optimizer;
    private readonly IReadOnlyList<Slice> _slices;
    private readonly Slice _frozen;
    private readonly double _clip;
    private readonly Precision _precision;
    private bool _isFrozenNarrow;

    /// <param name="devices">All attached to the replica's vectors, in the order of <paramref name="collective"/>'s devices.</param>
    /// <param name="layout">The layout of the replica's vectors.</param>
    /// <param name="clip">Largest global norm of the gradient; 0 for none.</param>
    /// <param name="precision">In what the step keeps its numbers; fp32 if not given.</param>
    public TrainingStep(
        IReadOnlyList<IDeviceThread> devices, ICollective collective, FlatLayout layout, IOptimizer optimizer, double clip,
        Precision? precision = null)
    {
        ArgumentNullException.ThrowIfNull(devices);
        ArgumentNullException.ThrowIfNull(optimizer);
        (_devices, _collective, _optimizer, _clip, _precision) = (devices, collective, optimizer, clip, precision ?? Precision.Fp32);
        _slices = Slice.Split(layout, devices.Count, optimizer.Granularity);
        _frozen = new Slice(layout.Tiles, (int)(layout.FrozenLength / FlatLayout.Tile));
    }

    /// <summary>Takes the step.</summary>
    /// <param name="microBatches">All micro-batches of the step, in order.</param>
    /// <param name="learningRate">The learning rate of this step.</param>
    /// <param name="number">1 for the replica's first step.</param>
    /// <returns>The step's loss, nats per counted target; 0 where none is counted.</returns>
    /// <exception cref="ElasticException">
    /// The gradient is not finite, even with a loss scale of 1 where there is one; the parameters have not changed.
    /// </exception>
    public async Task<double> RunAsync(IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, double learningRate, long number)
    {
        ArgumentNullException.ThrowIfNull(microBatches);
        LossScale? scale = _precision.ScalesLoss ? await _devices[0].RunAsync(d => d.LossScale) : null;

        // Narrow: each owner rounds its slice of the parameters into the working copy that all devices' products read.
        if (_precision.IsNarrow)
            await NarrowAsync();

        // Accumulate: each device sums the gradients of its range of micro-batches, along the tree as far as they are neighbours.
        var accumulated = await Task.WhenAll(_devices.Select((device, i) =>
        {
            var range = RangeOf(i, microBatches);
            return device.RunAsync(d => (Losses: d.Accumulate(range, seed, _precision, scale?.Value ?? 1), d.Roots));
        }));
        var loss = accumulated.SelectMany(a => a.Losses).Sum() / microBatches[0].StepTargets;

        // Reduce: each owner sums its slice of all devices' subtree roots, in tree order.
        var squares = await _collective.ReduceScatterAsync([.. accumulated.SelectMany(a => a.Roots)], microBatches.Count, _slices);

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
        await Task.WhenAll(_devices.Select((device, i) => device.RunAsync(d => d.UpdateSlice(_slices[i], _optimizer, step))));

        // Gather: each device has all slices of the parameters again.
        await _collective.AllGatherAsync(_slices);
        if (scale?.AfterCleanStep() is { } next)
            await _devices[0].RunAsync(d => d.LossScale = next);
        return loss;
    }

    // What is frozen stays as it is: it is rounded once.
    private async Task NarrowAsync()
    {
        if (!_isFrozenNarrow && _frozen.Count > 0)
            await _devices[0].RunAsync(d => d.NarrowSlice(_frozen, _precision));
        _isFrozenNarrow = true;
        await Task.WhenAll(_devices.Select((device, i) => device.RunAsync(d => d.NarrowSlice(_slices[i], _precision))));
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
        await _devices[0].RunAsync(d => d.LossScale = next);
    }

    // Contiguous ranges whose sizes differ by one at most.
    private List<MicroBatch> RangeOf(int device, IReadOnlyList<MicroBatch> all)
    {
        var (first, end) = ((long)all.Count * device / _devices.Count, (long)all.Count * (device + 1) / _devices.Count);
        return [.. all.Skip((int)first).Take((int)(end - first))];
    }
}
