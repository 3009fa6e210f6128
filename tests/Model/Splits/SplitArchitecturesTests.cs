using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Splits;
using Elastic.Model.Training;

namespace Elastic.Model.Tests.Splits;

/// <summary>
/// The encoder-decoder, BERT and adapters: how many devices share each layer, and in how many stages the network is, leaves no trace. Rows
/// of a micro-batch are nothing that ranks could divide evenly.
/// </summary>
public class SplitArchitecturesTests
{
    private const int Context = 9, Long = 270, Steps = 2;

    private static readonly Dictionary<string, ModelSettings> Models = new()
    {
        ["transformer"] = Of("transformer", 0.1),
        ["bert"] = Of("bert", 0.1),
        ["bert of pairs"] = Of("bert", 0.1),
        ["adapters of gpt2"] = With(Samples.Model(1, 4, 32, Context, 97) with { Dropout = 0.1 }, "c_attn", "c_proj", "c_fc"),
        ["adapters of llama"] = With(Samples.Llama(1, 4, 4, 32, Context, 97), "q_proj", "k_proj", "o_proj", "up_proj", "down_proj"),
        // The head's layer is called dense, too: it is not shared.
        ["adapters of bert"] = With(Of("bert", 0), "query", "value", "dense"),
        ["adapters of the transformer"] = With(Of("transformer", 0.1), "q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"),
        ["adapters with A frozen"] = Frozen(With(Of("transformer", 0), "k_proj", "v_proj", "fc2")),
    };

    public static TheoryData<string> All => [.. Models.Keys];

    [Theory]
    [MemberData(nameof(All))]
    public async Task Two_and_four_devices_that_share_a_network_give_the_parameters_and_moments_of_one(string kind)
    {
        foreach (var precision in new[] { TrainingPrecision.Fp32, TrainingPrecision.Bf16 })
        {
            var whole = await TrainAsync(kind, 1, precision: precision);
            Assert.Equal(whole, await TrainAsync(kind, 2, precision: precision));
            Assert.Equal(whole, await TrainAsync(kind, 4, precision: precision));
        }
    }

    [Theory]
    [InlineData("transformer", RecomputeMode.Full)]
    [InlineData("adapters of bert", RecomputeMode.Blocks)]
    public async Task What_is_computed_again_has_the_same_bits_on_two_devices(string kind, RecomputeMode recompute)
        => Assert.Equal(await TrainAsync(kind, 1), await TrainAsync(kind, 2, recompute: recompute));

    // So many rows that each operator has pieces for both threads.
    [Theory]
    [InlineData("transformer")]
    [InlineData("bert of pairs")]
    public async Task Threads_of_the_devices_of_a_group_leave_no_trace(string kind)
        => Assert.Equal(await TrainAsync(kind, 1, context: Long), await TrainAsync(kind, 2, threads: 2, context: Long));

    [Theory]
    [InlineData("bert of pairs", 3)]
    [InlineData("adapters of the transformer", 5)]
    public async Task As_many_stages_as_the_network_can_be_cut_into_give_the_same_bits(string kind, int stages)
    {
        Assert.Equal(stages, TapeStage.Most(Architectures.Open(Models[kind])));
        Assert.Equal(await TrainAsync(kind, 1), await TrainAsync(kind, 1, stages: stages));
    }

    [Theory]
    [InlineData("bert of pairs", 3)]
    [InlineData("transformer", 5)]
    [InlineData("adapters of the transformer", 2)]
    public async Task Stages_that_two_devices_share_give_the_same_bits(string kind, int stages)
        => Assert.Equal(await TrainAsync(kind, 1), await TrainAsync(kind, 2, stages: stages));

    // The axes that devices share are cut into four parts.
    [Theory]
    [InlineData("bert")]
    [InlineData("transformer")]
    [InlineData("adapters of llama")]
    public void The_planner_knows_how_many_devices_share_a_layer(string kind)
    {
        var settings = TrainingMemoryTests.Of(Models[kind], sequences: 8, micro: 1);
        var choices = SplitChoices.Of(TrainingPlan.OfReplica(settings, 8, 1), double.PositiveInfinity);
        Assert.Equal([2, 4], choices.All.Select(p => p.Split).Where(s => s.Tensor > 1 && s.Pipeline == 1).Select(s => s.Tensor));
        Assert.All(choices.All, p => Assert.Equal(p.Split.IsNone, p.CutBytes == 0));
    }

    private static Task<Digest> TrainAsync(
        string kind, int tensor, int stages = 1, TrainingPrecision precision = TrainingPrecision.Fp32,
        RecomputeMode recompute = RecomputeMode.None, int threads = 1, int context = Context)
    {
        var model = context == Context ? Models[kind] : Models[kind] with { Context = context, Width = 64 };
        return TensorGroupTests.TrainAsync(
            model, _ => (tensor * stages, tensor), precision, recompute, threads, smoothing: 0.1, steps: context == Context ? Steps : 1,
            stages: stages, given: step => kind == "bert of pairs" ? PairsOf(model, step) : Samples.MicroBatches(model, 3, 1, step));
    }

    private static IReadOnlyList<MicroBatch> PairsOf(ModelSettings model, int seed)
    {
        var random = new Random(seed);
        var batches = Architectures.Open(model).Batching.MicroBatches(
            [.. Enumerable.Range(0, 3).Select(_ => Samples.Pair(model, random))], 1, new DropoutSeed(1, 0, 0, seed));
        Assert.Contains(batches, b => b.Types!.Contains(1));
        return batches;
    }

    private static ModelSettings Of(string architecture, double dropout)
        => Samples.Of(architecture, 1, 4, 32, Context, 97) with { Dropout = dropout };

    private static ModelSettings Frozen(ModelSettings model) => model with { Lora = model.Lora with { FreezesA = true } };

    private static ModelSettings With(ModelSettings model, params string[] targets)
        => model with { Lora = ModelSettings.Defaults.Lora with { Rank = 3, Targets = targets } };
}
