using Elastic.Messages;
using Elastic.Model.Batches;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>How many rows have their logits in memory at once shows in the memory, not in the bits.</summary>
public class CrossEntropyPieceTests
{
    // Two micro-batches of 1,040 rows, each through the network alone: the second one's gradient is added to the first one's.
    private const int Rows = 1040, Features = 6;

    [Theory]
    [InlineData(500)]                                                                // pieces of 347, 347 and 346 rows
    [InlineData(16)]
    [InlineData(1033)]                                                               // saves less than the sums of dW take: one piece
    public void Logits_of_a_piece_of_the_rows_at_once_give_the_same_gradient(int rowsAtOnce)
    {
        var expected = Gradient(new Head(Rows), threads: 1);
        var actual = Gradient(new Head(rowsAtOnce), threads: 2);
        Assert.Equal(expected.Gradient, actual.Gradient);
        Assert.Equal(expected.Loss, actual.Loss);
        Assert.Contains(expected.Gradient, g => g != 0);
    }

    [Fact]
    public void A_piece_and_the_sums_of_dW_are_all_that_is_planned()
    {
        long Floats(int rowsAtOnce, int microBatches = 1, TapePurpose purpose = TapePurpose.Training)
        {
            var architecture = new Head(rowsAtOnce);
            var tape = new Tape(purpose, new BatchShape(microBatches, Rows, 1), new FlatLayout(architecture.Parameters));
            architecture.Record(tape);
            return tape.Operations[^1].ScratchFloats(tape.Shape, 1);
        }
        // With a row for the sums of the bias.
        Assert.Equal((Rows + 1) * Head.Padded, Floats(Rows));
        Assert.Equal(348 * Head.Padded + Head.Words * Features, Floats(500));
        Assert.Equal((Rows + 1) * Head.Padded, Floats(Rows - 5));
        Assert.Equal((2 * Rows + 1) * Head.Padded, Floats(500, microBatches: 2));    // these fold along the tree
        Assert.Equal(501 * Head.Padded, Floats(500, purpose: TapePurpose.Evaluation));
        Assert.Equal(2 * Head.Padded, Floats(500, purpose: TapePurpose.Generation)); // of the last row
    }

    private static (float[] Gradient, double Loss) Gradient(Head architecture, int threads)
    {
        using var vectors = new ReplicaVectors(new FlatLayout(architecture.Parameters));
        Initialization.Fill(vectors, 3);
        using var device = new CpuDevice(new DeviceId("cpu:0"), architecture, 0.1, threads);
        device.Attach(vectors);
        var random = new Random(1);
        var samples = Enumerable.Range(0, 2 * Rows).Select(_ => new Sample(new[] { random.Next(Head.Words), random.Next(Head.Words) }));
        var losses = device.Accumulate(architecture.Batching.MicroBatches([.. samples], Rows), default);
        return (Samples.GradientOf(device), losses.Sum());
    }

    // An embedding and a head.
    private sealed class Head(int rowsAtOnce) : IArchitecture
    {
        public const int Words = 45, Padded = 48;

        public string Signature => "head";

        public int Context => 1;

        public int Vocabulary => Words;

        public IReadOnlyList<ParameterSpec> Parameters { get; } =
        [
            new("table", [Words, Features], true, new ParameterInit.Normal(1)),
            new("head", [Words, Features], true, new ParameterInit.Normal(1)) { PaddedRows = Padded, Shared = new SharedAxis(0, 4) },
            new("bias", [Words], false, new ParameterInit.Normal(1)),
        ];

        public IBatching Batching { get; } = new CausalBatching();

        public void Record(Tape tape) => tape.CrossEntropy(tape.Embed("table", null, null), "head", rowsAtOnce * (long)Words, "bias");
    }
}
