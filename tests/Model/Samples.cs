using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>Small models and made-up tokens that several tests share.</summary>
internal static class Samples
{
    public static ModelSettings Tiny(double dropout = 0) => Model(2, 4, 32, 16, 97) with { Dropout = dropout };

    public static ModelSettings Model(int layers, int heads, int width, int context, int vocabulary) =>
        ModelSettings.Defaults with { Layers = layers, Heads = heads, Width = width, Context = context, Vocabulary = vocabulary };

    public static OptimizerSettings Optimizer(double clip = 1.0, double smoothing = 0) => OptimizerSettings.Defaults with
    {
        LearningRate = 1e-3, MinimumLearningRate = 1e-4, Clip = clip, LabelSmoothing = smoothing, WarmupSteps = 2,
    };

    public static ReplicaVectors Initialized(ModelSettings model, ulong seed = 7)
    {
        var vectors = new ReplicaVectors(new FlatLayout(model));
        Gpt2Initialization.Fill(vectors, seed);
        return vectors;
    }

    /// <summary>M micro-batches of (rows, T + 1) tokens.</summary>
    public static ReadOnlyMemory<int>[] MicroBatches(ModelSettings model, int count, int rows, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
            (ReadOnlyMemory<int>)Enumerable.Range(0, rows * (model.Context + 1)).Select(_ => random.Next(model.Vocabulary)).ToArray())];
    }

    public static Digest DigestOf(ReplicaVectors vectors)
    {
        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        foreach (var kind in Enum.GetValues<VectorKind>())
            hash.AppendData(vectors.Bytes(kind, 0, (int)vectors.Layout.Length));
        return Digest.Of(hash);
    }
}
