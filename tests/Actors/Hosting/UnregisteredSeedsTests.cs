using Elastic.Actors.Hosting;

namespace Elastic.Actors.Tests.Hosting;

public sealed class UnregisteredSeedsTests
{
    private readonly UnregisteredSeeds _seeds = new();

    [Fact]
    public void A_seed_that_the_database_does_not_know_must_go_after_some_looks_and_a_known_one_stays()
    {
        for (var look = 1; look < UnregisteredSeeds.MostLooks; look++)
            Assert.Empty(_seeds.Look(["10.0.0.1:1", "10.0.0.2:1"], ["10.0.0.1:1"]));
        Assert.Equal(["10.0.0.2:1"], _seeds.Look(["10.0.0.1:1", "10.0.0.2:1"], ["10.0.0.1:1"]));
        Assert.Equal(["10.0.0.2:1"], _seeds.Look(["10.0.0.2:1"], []));       // a removal that was lost is repeated
    }

    [Fact]
    public void A_seed_that_was_late_begins_anew()
    {
        for (var look = 1; look < UnregisteredSeeds.MostLooks; look++)
            Assert.Empty(_seeds.Look(["10.0.0.2:1"], []));
        Assert.Empty(_seeds.Look(["10.0.0.2:1"], ["10.0.0.2:1"]));
        Assert.Empty(_seeds.Look(["10.0.0.2:1"], []));
    }
}
