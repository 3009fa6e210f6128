using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Step;

namespace Elastic.Model.Tests;

/// <summary>Small models and made-up tokens that several tests share.</summary>
internal static class Samples
{
    public static ModelSettings Tiny(double dropout = 0) => Model(2, 4, 32, 16, 97) with { Dropout = dropout };

    public static ModelSettings Model(int layers, int heads, int width, int context, int vocabulary) =>
        ModelSettings.Defaults with { Layers = layers, Heads = heads, Width = width, Context = context, Vocabulary = vocabulary };

    public static ModelSettings Llama(
        int layers, int heads, int keyHeads, int width, int context, int vocabulary, Func<LlamaSettings, LlamaSettings>? with = null) =>
        Model(layers, heads, width, context, vocabulary) with
        {
            Architecture = "llama",
            Llama = (with ?? (l => l))(ModelSettings.Defaults.Llama with { KeyHeads = keyHeads }),
        };

    public static ModelSettings Of(string architecture, int layers, int heads, int width, int context, int vocabulary) =>
        Model(layers, heads, width, context, vocabulary) with { Architecture = architecture };

    public static OptimizerSettings Optimizer(double clip = 1.0, double smoothing = 0) => OptimizerSettings.Defaults with
    {
        LearningRate = 1e-3,
        MinimumLearningRate = 1e-4,
        Clip = clip,
        LabelSmoothing = smoothing,
        WarmupSteps = 2,
    };

    public static ReplicaVectors Initialized(ModelSettings model, ulong seed = 7)
    {
        var vectors = new ReplicaVectors(Architectures.LayoutOf(model));
        Initialization.Fill(vectors, seed);
        return vectors;
    }

    /// <summary>A device on the calling thread, attached.</summary>
    public static TrainingDevice Device(ReplicaVectors vectors, ModelSettings model, double smoothing = 0, int threads = 1)
    {
        var device = new CpuDevice(new DeviceId("cpu:0"), Architectures.Open(model), smoothing, threads);
        device.Attach(vectors);
        return device;
    }

    /// <summary>M micro-batches of (rows, T) inputs and targets.</summary>
    public static IReadOnlyList<MicroBatch> MicroBatches(ModelSettings model, int count, int rows, int seed)
    {
        var random = new Random(seed);
        if (model.ReadsPairs)
            return Architectures.Open(model).Batching.MicroBatches(
                [.. Enumerable.Range(0, count * rows).Select(_ => Pair(model, random))], rows);
        var tokens = Enumerable.Range(0, count * rows * (model.Context + 1)).Select(_ => random.Next(model.Vocabulary)).ToArray();
        return Architectures.Open(model).Batching.MicroBatches(Sample.Cut(tokens, count * rows), rows);
    }

    /// <summary>A pair of any lengths.</summary>
    public static Sample Pair(ModelSettings model, Random random)
    {
        var (T, elements) = (model.Context, new int[2 * model.Context + 1]);
        int source = random.Next(1, T + 1), target = random.Next(2, T + 2);
        for (var i = 0; i < elements.Length; i++)
            elements[i] = random.Next(model.Vocabulary) | (i >= T + target ? SampleElement.NotCounted : 0);
        if (source < T)
            elements[source] |= SampleElement.Begins;
        return new Sample(elements);
    }

    /// <summary>Whole training steps on so many devices at once, each on its own thread; returns their losses.</summary>
    public static double[] Train(
        IArchitecture architecture, IOptimizer optimizer, ReplicaVectors vectors, int devices, IEnumerable<IReadOnlyList<MicroBatch>> steps,
        double labelSmoothing = 0, double clip = 1, Func<int, double>? rate = null, ulong dropoutSeed = 1,
        int threadsOfDevice = 1, Precision? precision = null, int firstNumber = 1)
    {
        var threads = Enumerable.Range(0, devices).Select(d => new DeviceThread(new DeviceId($"cpu:{d}"), () =>
        {
            var device = new CpuDevice(new DeviceId($"cpu:{d}"), architecture, labelSmoothing, threadsOfDevice);
            device.Attach(vectors);
            return device;
        })).ToList();
        try
        {
            var step = new TrainingStep(threads, new LocalCollective(threads), vectors.Layout, optimizer, clip, precision);
            return [.. steps.Select((batches, i) => step.RunAsync(
                batches, new DropoutSeed(dropoutSeed, 0, 0, i), rate?.Invoke(i) ?? 1e-3, firstNumber + i).GetAwaiter().GetResult())];
        }
        finally
        {
            threads.ForEach(t => t.Dispose());
        }
    }

    /// <summary>All elements of a vector.</summary>
    public static float[] Values(DeviceVector vector)
    {
        var values = new float[vector.Length];
        vector.CopyTo(0, values);
        return values;
    }

    /// <summary>The whole gradient of a device that has accumulated one full subtree, embeddings included.</summary>
    public static float[] GradientOf(TrainingDevice device)
    {
        var (roots, layout) = (device.Roots, new FlatLayout(device.Architecture.Parameters));
        device.FoldSlice(roots, roots.Sum(r => r.Node.Count), Slice.Split(layout, 1)[0]);
        return Values(roots[0].Gradient);
    }

    /// <summary>Of the parameters and AdamW's moments.</summary>
    public static Digest DigestOf(ReplicaVectors vectors)
    {
        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        foreach (var name in new[] { VectorSet.Parameters, VectorSet.FirstMoment, VectorSet.SecondMoment })
            hash.AppendData(vectors.Bytes(name, 0, (int)vectors[name].Length));
        return Digest.Of(hash);
    }
}
