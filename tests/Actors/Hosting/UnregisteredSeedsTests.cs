using Akka.Actor;
using Akka.Cluster;
using Elastic.Actors.Hosting;

namespace Elastic.Actors.Tests.Hosting;

public sealed class UnregisteredSeedsTests
{
    private readonly UnregisteredSeeds _seeds = new();

    [Fact]
    public void A_newcomer_that_has_not_entered_itself_must_go_at_once_and_who_has_is_asked_about_no_more()
    {
        UniqueAddress one = At(1, uid: 1), other = At(2, uid: 1);
        Assert.Equal([one, other], _seeds.Newcomers([one, other]));
        Assert.Equal([other], _seeds.Admit([one, other], ["10.0.0.1:4053"]));
        Assert.Equal([other], _seeds.Newcomers([one, other]));              // a removal that was lost is repeated
        Assert.Empty(_seeds.Newcomers([one]));
    }

    [Fact]
    public void Another_process_at_the_address_of_a_seed_is_a_newcomer()
    {
        _seeds.Admit([At(1, uid: 1)], ["10.0.0.1:4053"]);
        Assert.Equal([At(1, uid: 2)], _seeds.Newcomers([At(1, uid: 2)]));
        Assert.Equal([At(1, uid: 1)], _seeds.Newcomers([At(1, uid: 1)]));   // it was gone meanwhile
    }

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

    private static UniqueAddress At(int host, int uid) => new(new Address("akka.tcp", "elastic", $"10.0.0.{host}", 4053), uid);
}
