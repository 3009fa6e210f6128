using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes.Devices;

/// <summary>The devices that work on one replica together. Their number changes which one does what, never a bit of the result.</summary>
internal sealed class DeviceGroup(IReadOnlyList<TrainerThread> devices)
{
    /// <summary>Attaches the devices to this run's model and these vectors.</summary>
    public Task AttachAsync(TrainingSettings settings, ReplicaVectors vectors) =>
        Task.WhenAll(devices.Select(device => device.AttachAsync(settings, vectors)));

    /// <summary>The inner step of these devices.</summary>
    /// <param name="clip">Largest global norm; 0 for none.</param>
    public TrainingStep Step(FlatLayout layout, IOptimizer optimizer, double clip) =>
        new(devices, new LocalCollective(devices), layout, optimizer, clip);

    /// <summary>Losses of rows, in order.</summary>
    /// <param name="stop">Asks to stop after the batches that are under way; what is returned is then incomplete.</param>
    public async Task<IReadOnlyList<ScoreSum>> EvaluateAsync(IReadOnlyList<MicroBatch> batches, CancellationToken stop)
    {
        var losses = new ScoreSum[batches.Count][];
        var next = -1;
        await Task.WhenAll(devices.Select(async device =>
        {
            for (int i; !stop.IsCancellationRequested && (i = Interlocked.Increment(ref next)) < batches.Count;)
                losses[i] = await device.RunAsync(d => d.Evaluate(batches[i]));
        }));
        return [.. losses.Where(l => l is not null).SelectMany(l => l)];
    }
}
