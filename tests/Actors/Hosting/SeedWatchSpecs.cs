using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Actors.Tests.Membership;
using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hosting;

public sealed class SeedWatchSpecs : TemporaryFolder
{
    // Its own connections fail, as behind a firewall, while another seed's do not.
    [Fact]
    public async Task A_seed_that_does_not_reach_its_database_any_more_leaves_the_cluster_so_that_another_one_may_supervise()
    {
        await using var cluster = new LoopbackCluster();
        var oldest = await cluster.StartAsync("127.0.0.1", "seed", null);
        await cluster.UntilHomeAsync(oldest);
        await new SeedRegistry(cluster.Database).AnnounceAsync(Contacts.NameOf(oldest.SelfAddress), default);
        var other = await cluster.StartAsync("127.0.0.2", "seed", oldest);
        Watch(other.System, cluster.Database);
        Watch(oldest.System, DatabaseAddress.Parse($"sqlite:{Path.Combine(Folder, "no-such-folder", "journal.db")}", Folder));
        await LoopbackCluster.UntilEndedAsync(oldest);
        await cluster.UntilHomeAsync(other);
        await LoopbackCluster.UntilMembersAsync(other, other);
    }

    private static void Watch(ActorSystem system, DatabaseAddress database)
    {
        var registry = new SeedRegistry(database);
        var contacts = new Contacts([], registry, Transport.Plain);
        system.ActorOf(Props.Create(() => new SeedWatch(contacts, registry, TimeSpan.FromSeconds(2))));
    }
}
