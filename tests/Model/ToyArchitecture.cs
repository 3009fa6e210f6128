using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Vectors;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Model.Tests;

/// <summary>
/// Three parameters: a frozen table of random features, a weight and a bias that read the next token from them. Its gradients are
/// autograd's. V tokens, F features, N targets.
/// </summary>
internal sealed class ToyArchitecture : IArchitecture
{
    public const int Tokens = 7, Features = 16;
    public const string Table = "table", Weight = "weight", Bias = "bias";

    public string Signature => "toy";

    public IReadOnlyList<ParameterSpec> Parameters { get; } =
    [
        new(Table, [Tokens, Features], false, new ParameterInit.Normal(1)) { IsTrained = false },
        new(Weight, [Features, Tokens], true, new ParameterInit.Normal(0.02)),
        new(Bias, [Tokens], false, new ParameterInit.Constant(0.25f)),
    ];

    public IBatching Batching { get; } = new CausalBatching();

    public double ActivationBytes(int sequences) => sequences * (Features + Tokens) * sizeof(float);

    public INetwork OpenNetwork(double labelSmoothing, torch.Device device) => new Network();

    private sealed class Network : INetwork
    {
        public double ForwardBackward(MicroBatch batch, ParameterViews parameters, ParameterViews gradients, DropoutSeed seed)
        {
            using var scope = NewDisposeScope();
            var (weight, bias) = (parameters[Weight].detach().requires_grad_(true), parameters[Bias].detach().requires_grad_(true));
            var sum = Losses(batch, parameters[Table], weight, bias).sum();
            (sum / batch.StepTargets).backward();
            gradients[Weight].copy_(weight.grad!);
            gradients[Bias].copy_(bias.grad!);
            return sum.item<float>() / batch.Targets.Length;
        }

        public ScoreSum[] Evaluate(MicroBatch batch, ParameterViews parameters) => throw new NotSupportedException();

        public float[] Logits(ReadOnlySpan<int> tokens, ParameterViews parameters) => throw new NotSupportedException();

        public void Dispose()
        {
            // It keeps nothing.
        }

        // -> (N)
        private static Tensor Losses(MicroBatch batch, Tensor table, Tensor weight, Tensor bias)
        {
            var inputs = TokenTensor.Of(batch.Inputs, batch.Rows, 1, Tokens, CPU).view(-1);
            var targets = TokenTensor.Of(batch.Targets, batch.Rows, 1, Tokens, CPU).view(-1);
            var logits = table.index_select(0, inputs).matmul(weight) + bias;                                 // (N, V)
            return nn.functional.cross_entropy(logits, targets, reduction: nn.Reduction.None);
        }
    }
}

/// <summary>Gradient descent without anything: no vectors of its own, no decay.</summary>
internal sealed class PlainGradientDescent : IOptimizer
{
    public IReadOnlyList<string> Vectors => [];

    public UpdateGranularity Granularity => UpdateGranularity.Tiles;

    public void Update(ReplicaVectors vectors, Tensor gradient, Slice slice, OptimizerStep step)
    {
        using var scope = NewDisposeScope();
        foreach (var (_, first, count) in vectors.Layout.TrainedPartsOf(slice))
            vectors[VectorSet.Parameters].narrow(0, first, count)
                .sub_(gradient.narrow(0, first, count) * (float)(step.ClipCoefficient * step.LearningRate));
    }
}
