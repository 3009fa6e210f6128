using Elastic.Messages.Vectors;
using Elastic.Model.Networks;

namespace Elastic.Model.Tests;

public class DropoutTests
{
    private static readonly DropoutSeed Seed = new(1, 2, 3, 4);

    [Fact]
    public void A_key_depends_on_every_part_of_its_seed_and_place()
    {
        ulong Key(DropoutSeed seed, int microBatch = 5, int layer = 6, DropoutSite site = DropoutSite.MlpOutput)
            => new DropoutMask(0.5, layer, site).Key(seed, microBatch);
        ulong[] all =
        [
            Key(Seed), Key(Seed with { Seed = 9 }), Key(Seed with { Round = 9 }), Key(Seed with { Replica = 9 }),
            Key(Seed with { Step = 9 }), Key(Seed, microBatch: 9), Key(Seed, layer: 9), Key(Seed, site: DropoutSite.Embedding),
        ];
        Assert.Equal(all.Length, all.Distinct().Count());
        Assert.Equal(Key(Seed), Key(Seed));
    }

    [Fact]
    public void With_dropout_the_gradient_is_still_that_of_the_loss()
    {
        // The masks are fixed by the seed, so the loss is a smooth function of the parameters: its slope along the gradient is measured.
        var model = Samples.Tiny(0.3);
        var tokens = Samples.MicroBatches(model, 1, 4, 1);
        using var vectors = Samples.Initialized(model);
        var parameters = Samples.Values(vectors.Parameters).Select(v => 5 * v).ToArray();   // away from the flat start
        using var device = Samples.Device(vectors, model);
        double Loss(double[] at)
        {
            vectors.CopyFrom(VectorSet.Parameters, 0, [.. at.Select(v => (float)v)]);
            return device.Accumulate(tokens, Seed)[0] / tokens[0].StepTargets;
        }
        Loss([.. parameters.Select(v => (double)v)]);
        var gradient = Samples.GradientOf(device);
        var norm = Math.Sqrt(gradient.Sum(g => (double)g * g));
        var h = 0.01 / norm;                                          // the loss changes by 0.01 either way
        double Along(int sign) => Loss([.. parameters.Select((p, i) => p + sign * h * gradient[i] / norm)]);
        Assert.Equal(1, (Along(1) - Along(-1)) / (2 * h * norm), 5e-3);
    }
}
