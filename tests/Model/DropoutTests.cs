using Elastic.Model.Networks;
using TorchSharp;

namespace Elastic.Model.Tests;

public class DropoutTests
{
    private static readonly DropoutSeed Seed = new(1, 2, 3, 4);

    [Fact]
    public void A_mask_depends_on_every_part_of_its_seed_and_on_nothing_else()
    {
        string Mask(DropoutSeed seed, int microBatch = 5, int layer = 6, DropoutSite site = DropoutSite.MlpOutput)
        {
            using var mask = new DropoutMasks(0.5, seed, microBatch).Mask(layer, site, [8, 16], torch.CPU);
            return string.Concat(mask.data<float>().Select(v => v > 0 ? '1' : '0'));
        }
        string[] all =
        [
            Mask(Seed), Mask(Seed with { Seed = 9 }), Mask(Seed with { Round = 9 }), Mask(Seed with { Replica = 9 }),
            Mask(Seed with { Step = 9 }), Mask(Seed, microBatch: 9), Mask(Seed, layer: 9), Mask(Seed, site: DropoutSite.Embedding),
        ];
        Assert.Equal(all.Length, all.Distinct().Count());
        Assert.Equal(Mask(Seed), Mask(Seed));
    }

    [Fact]
    public void A_mask_drops_its_share_and_scales_the_rest_to_keep_the_mean()
    {
        using var mask = new DropoutMasks(0.2, Seed, 0).Mask(0, DropoutSite.Embedding, [100_001], torch.CPU);
        var values = mask.data<float>().ToArray();
        Assert.All(values, v => Assert.True(v is 0 or 1.25f));
        Assert.Equal(0.2, values.Count(v => v == 0) / 100_001.0, 0.006);
    }

    [Fact]
    public void With_dropout_the_gradient_is_still_that_of_the_loss()
    {
        // The masks are fixed by the seed, so the loss is a smooth function of the parameters: its slope along the gradient is measured.
        var model = Samples.Tiny(0.3);
        var tokens = Samples.MicroBatches(model, 1, 4, 1);
        using var vectors = Samples.Initialized(model);
        vectors.Parameters.mul_(5f); // away from the flat start
        using var device = Samples.Device(vectors, model);
        double Loss() => device.Accumulate(tokens, Seed)[0];
        Loss();
        using var gradient = device.Roots[0].Gradient.clone();
        var square = gradient.pow(2).sum().item<float>();
        var h = 0.01 / Math.Sqrt(square);
        using var step = gradient * (h / Math.Sqrt(square));
        vectors.Parameters.add_(step);
        var above = Loss();
        vectors.Parameters.sub_(step).sub_(step);
        var below = Loss();
        Assert.Equal(1, (above - below) / (2 * h * Math.Sqrt(square)), 5e-3);
    }
}
