using Elastic.Foundation;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Training;

namespace Elastic.Model.Splits;

/// <summary>
/// Devices that compute each micro-batch together, each its share of every layer (<see cref="TensorShare"/>). A pass is cut into segments:
/// all ranks compute one, and when all have ended it they go on with what the others made. So no device waits for another, and a rank that
/// fails or hangs is named as in any other part of a step. The bits are those of one device.
/// </summary>
internal sealed class TensorGroup
{
    private const string What = "forward and backward pass";

    private readonly IReadOnlyList<IDeviceThread> _devices;
    private readonly StepDeadlines _deadlines;
    private readonly Ranks _ranks;

    /// <param name="devices">The ranks, in order: a power of two.</param>
    /// <param name="time">Measures the deadlines.</param>
    public TensorGroup(IReadOnlyList<IDeviceThread> devices, StepDeadlines deadlines, TimeProvider time)
    {
        if (!int.IsPow2(devices.Count))
            throw new ArgumentException($"a tensor group of {devices.Count} devices: use a power of two", nameof(devices));
        (_devices, _deadlines, _ranks) = (devices, deadlines, new Ranks(devices, time));
    }

    /// <summary>How many.</summary>
    public int Count => _devices.Count;

    /// <summary>Forward and backward of consecutive micro-batches of a step.</summary>
    /// <returns>
    /// The sum of the losses of each micro-batch's counted targets, nats; and the sums of their gradients, which the first rank holds.
    /// </returns>
    /// <exception cref="DeviceFailedException">A rank failed or stayed away.</exception>
    /// <exception cref="ElasticException">The network cannot be shared by so many devices.</exception>
    public async Task<(double[] Losses, IReadOnlyList<SubtreeRoot> Roots)> AccumulateAsync(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale)
    {
        try
        {
            return await RunAsync(microBatches, seed, precision, lossScale);
        }
        catch
        {
            // Before any other work of theirs, whenever that is.
            foreach (var device in _devices)
                _ = LeaveAsync(device);
            throw;
        }
    }

    private async Task<(double[] Losses, IReadOnlyList<SubtreeRoot> Roots)> RunAsync(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale)
    {
        var losses = new List<double>();
        var vocabulary = (await OnAllAsync((d, rank) =>
        {
            d.InTensorGroup().BeginStep();
            if (rank == 0)
                TensorSplit.Check(d.Architecture, _devices.Count);
            return d.Architecture.Vocabulary;
        }))[0];
        foreach (var (node, group) in MicroBatchGroups.Of(microBatches, vocabulary))
        {
            var (into, adds) = await OnFirstAsync(r => r.Rent(node));
            var passes = await OnAllAsync((d, rank) => d.InTensorGroup().Begin(
                new TensorShare(rank, _devices.Count), group, seed, precision, lossScale, into, adds));
            while (!(await OnAllAsync((d, _) => d.InTensorGroup().Advance(passes)))[0])
            {
            }
            await OnAllAsync((d, _) =>
            {
                d.InTensorGroup().End();
                return true;
            });
            losses.AddRange(await OnFirstAsync(r => r.Add(node, passes)));
        }
        var roots = (await OnAllAsync((d, rank) => rank == 0 ? d.Roots : []))[0];
        await OnAllAsync((d, rank) =>
        {
            if (rank > 0 && roots.Count > 0)
                d.InTensorGroup().BeginStep(roots[0].Gradient);
            return true;
        });
        return ([.. losses], roots);
    }

    private static async Task LeaveAsync(IDeviceThread device)
    {
        try
        {
            await device.RunAsync(d => d.InTensorGroup().Leave());
        }
        catch (Exception e) when (e is DeviceFailedException or ObjectDisposedException or InvalidOperationException)
        {
            // A device that is gone has left.
        }
    }

    private Task<T[]> OnAllAsync<T>(Func<TrainingDevice, int, T> work) =>
        _ranks.RunAsync(What, _deadlines.Most, work, _deadlines.After);

    private async Task<T> OnFirstAsync<T>(Func<ITensorRank, T> work) => (await _ranks.RunAsync(
        What, _deadlines.Most, (d, rank) => rank == 0 ? work(d.InTensorGroup()) : default))[0]!;
}
