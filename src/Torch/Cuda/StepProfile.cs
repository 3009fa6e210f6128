using System.Diagnostics;
using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Torch.Cuda;

/// <summary>Runs whole training steps on one device, with made-up tokens, and measures one of them kernel by kernel.</summary>
/// <param name="device">The device of a GPU's default stream.</param>
/// <param name="gpu">The GPU's number among those that this process sees.</param>
internal sealed class StepProfile(TrainingDevice device, CudaDriver driver, int gpu)
{
    // The first steps set up libraries and choose algorithms.
    private const int WarmUps = 2, Steps = 5;

    private static readonly DropoutSeed Seed = new(1, 0, 0, 0);

    /// <summary>A GPT-2's step by AdamW.</summary>
    /// <param name="model">Says the context and the vocabulary.</param>
    /// <param name="rows">Sequences of a micro-batch.</param>
    /// <param name="microBatches">Micro-batches of a step.</param>
    public StepTimes Run(ModelSettings model, ReplicaVectors vectors, Precision precision, int rows, int microBatches)
    {
        var optimizer = new AdamW(OptimizerSettings.Defaults);
        Initialization.Fill(vectors, 1);
        device.Attach(vectors);
        var slice = Slice.Split(vectors.Layout, 1)[0];
        if (precision.IsNarrow)
            device.NarrowSlice(slice, precision);
        var batches = Batches(model, rows, microBatches);
        var number = 0;
        void Step()
        {
            device.Accumulate(batches, Seed, precision, precision.ScalesLoss ? 1024 : 1);
            device.FoldSlice(device.Roots, microBatches, slice);
            device.UpdateSlice(slice, optimizer, new OptimizerStep(1e-4, ++number, 1));
            if (precision.IsNarrow)
                device.NarrowSlice(slice, precision);
        }
        for (var i = 0; i < WarmUps; i++)
            Step();
        var seconds = new double[Steps];
        for (var i = 0; i < Steps; i++)
        {
            var began = Stopwatch.GetTimestamp();
            Step();
            seconds[i] = Stopwatch.GetElapsedTime(began).TotalSeconds;
        }
        using var times = LaunchTimes.Begin(driver, gpu);
        Step();
        return new StepTimes(microBatches, seconds.Order().ElementAt(Steps / 2), times.Read());
    }

    private static IReadOnlyList<MicroBatch> Batches(ModelSettings model, int rows, int count)
    {
        var (random, samples) = (new KeyedRandom(1), rows * count);
        int[] tokens = [.. Enumerable.Range(0, samples * (model.Context + 1))
            .Select(i => (int)(random.Uniform((ulong)i) * model.Vocabulary))];
        return Architectures.Open(model).Batching.MicroBatches(Sample.Cut(tokens, samples), rows);
    }
}
