using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>Which kernel sums the gradients of biases in a pass: the one that makes what is summed, where one of ours does.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class BiasSumTests : IDisposable
{
    public BiasSumTests()
    {
        NativeTorch.Load();
        FakeFlash.Reset();
    }

    public void Dispose()
    {
        Assert.Null(FakeFlash.Wrong);
        FakeFlash.Reset();
    }

    // Of two layers: how often columns are summed apart, an activation's gradient sums them or not, heads' gradients are put side by side,
    // and parts are folded.
    [Theory]
    [InlineData("gpt2", 0, false, 0, 2, 0, 2, 9)]
    // Plain operators attend, and dropout makes what the branches of residuals get.
    [InlineData("gpt2", 0.1, false, 6, 2, 0, 0, 13)]
    // All but the adapters is frozen, and they have no biases: nothing is summed.
    [InlineData("gpt2", 0, true, 0, 0, 2, 2, 0)]
    // Three layers make queries, keys and values, and the head has an activation of its own.
    [InlineData("bert", 0, false, 7, 3, 0, 0, 16)]
    public void Columns_are_summed_by_what_makes_them(
        string kind, double dropout, bool hasAdapters, int apart, int withSums, int without, int packed, int folds)
    {
        var model = Samples.Of(kind, 2, 4, 32, 16, 97) with { Dropout = dropout };
        if (hasAdapters)
            model = model with { Lora = ModelSettings.Defaults.Lora with { Rank = 3, Alpha = 7.5 } };
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(model), length => new TorchVector(length, CPU));
        Initialization.Fill(vectors, 7);
        using var device = new TorchDevice(
            new DeviceId("cuda:0"), CPU, Architectures.Open(model), 0, FakeGpu.Shared.Kernels(0), flash: FakeFlash.New(),
            products: new FakeCublasLt().On(0));
        device.Attach(vectors);
        FakeGpu.Shared.Clear();
        device.Accumulate(Samples.MicroBatches(model, 1, 2, 5), new DropoutSeed(3, 1, 2, 4), Precision.Bf16, 1);
        var calls = FakeGpu.Shared.Calls.Select(c => c.Split(' ')[0]).ToList();
        int Count(params string[] names) => calls.Count(names.Contains);
        Assert.Equal(
            (apart, withSums, without, packed, folds),
            (Count("column_sums_bf16", "column_sums_f32"), Count("activation_backward_sums_bf16"), Count("activation_backward_bf16"),
                Count("pack_bf16"), Count("fold_parts")));
    }
}
