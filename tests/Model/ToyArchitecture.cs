using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Model.Optimization;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>
/// A frozen table of random features, one linear layer and a head that read the next token from them: nothing of a transformer.
/// F features.
/// </summary>
internal sealed class ToyArchitecture : IArchitecture
{
    public const int Words = 7, Features = 16;
    public const string Table = "table", Layer = "layer", Weight = Layer + ".weight", Bias = Layer + ".bias", Head = "head";

    public string Signature => "toy";

    public int Context => 1;

    public int Vocabulary => Words;

    public IReadOnlyList<ParameterSpec> Parameters { get; } =
    [
        new(Table, [Words, Features], false, new ParameterInit.Normal(1)) { IsTrained = false },
        new(Head, [Words, Features], true, new ParameterInit.Normal(0.02)),
        new(Weight, [Features, Features], true, new ParameterInit.Normal(0.02)),
        new(Bias, [Features], false, new ParameterInit.Constant(0.25f)),
    ];

    public IBatching Batching { get; } = new CausalBatching();

    public bool Supports(TrainingPrecision precision) => precision != TrainingPrecision.Fp16;

    public void Record(Tape tape) => tape.CrossEntropy(tape.Linear(tape.Embed(Table, null, null), Layer), Head);
}

/// <summary>Gradient descent without anything: no vectors of its own, no decay.</summary>
internal sealed class PlainGradientDescent : IOptimizer
{
    public IReadOnlyList<string> Vectors => [];

    public UpdateGranularity Granularity => UpdateGranularity.Tiles;

    public bool Supports(TrainingPrecision precision) => precision == TrainingPrecision.Fp32;

    public void Update(ReplicaVectors vectors, HostVector gradient, Slice slice, OptimizerStep step, ThreadTeam team)
    {
        foreach (var (_, first, count) in vectors.Layout.TrainedPartsOf(slice))
        {
            Span<float> p = vectors.Floats(VectorSet.Parameters, first, (int)count), g = gradient.Span(first, (int)count);
            for (var i = 0; i < p.Length; i++)
                p[i] -= g[i] * (float)(step.ClipCoefficient * step.LearningRate);
        }
    }
}
