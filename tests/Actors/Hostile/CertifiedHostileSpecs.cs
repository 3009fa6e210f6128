using System.Collections.Concurrent;
using Akka.Cluster;
using Elastic.Foundation.Certificates;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hostile;

/// <summary>
/// The same attacks on a cluster with certificates: without one they end in the handshake; a worker's certificate gives no orders and
/// speaks for no other node, whatever role its process claims.
/// </summary>
public sealed class CertifiedHostileSpecs : HostileScene
{
    [Fact]
    public async Task A_process_without_a_certificate_gets_no_further_than_the_handshake()
    {
        using var authority = new TestAuthority(Path.Combine(Folder, "cluster"));
        using var others = new TestAuthority(Path.Combine(Folder, "others"));
        using var own = Credentials.OfNode(authority.Issue("s1", Role.Seed), TimeProvider.System);
        using var foreign = Credentials.OfNode(others.Issue("s1", Role.Seed), TimeProvider.System);
        var refused = new ConcurrentQueue<string>();
        own.Say = refused.Enqueue;
        await using var node = await StartAsync(TlsTransport.BetweenNodes(own));
        await using var plain = new Stranger(Cluster.Get(node.System).SelfAddress);
        await using var impostor = new Stranger(Cluster.Get(node.System).SelfAddress, credentials: foreign);
        foreach (var stranger in new[] { plain, impostor })
            await UnharmedAsync(node, stranger, () => Attack(stranger));
        await UntilAsync(
            () => refused.Any(r => r.Contains("no certificate of this cluster", StringComparison.Ordinal)),
            () => string.Join(Environment.NewLine, refused));
        Assert.DoesNotContain("is refused", Log(), StringComparison.Ordinal);       // nothing was read
    }

    [Fact]
    public async Task A_worker_s_certificate_gives_no_orders_though_its_process_joins_as_a_seed()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        using var authority = new TestAuthority(Path.Combine(Folder, "cluster"));
        using var own = Credentials.OfNode(authority.Issue("s1", Role.Seed), TimeProvider.System);
        using var workers = Credentials.OfNode(authority.Issue("w9", Role.Worker), TimeProvider.System);
        await using var node = await StartAsync(TlsTransport.BetweenNodes(own));
        await using var worker = new Stranger(Cluster.Get(node.System).SelfAddress, "akka.cluster.roles = [seed]", workers);
        await worker.JoinAsync(deadline.Token);
        await UnharmedAsync(node, worker, () => Attack(worker),
            "a message of Elastic from {0} is refused: only a seed says that, and worker w9 has signed it",
            "a message of Akka's membership from {0} is refused: it is of a kind that no node sends",
            "a message of Akka's remote deployment from {0} is refused");
    }

    [Fact]
    public async Task A_worker_s_certificate_speaks_for_no_other_node()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        using var authority = new TestAuthority(Path.Combine(Folder, "cluster"));
        using var own = Credentials.OfNode(authority.Issue("s1", Role.Seed), TimeProvider.System);
        using var workers = Credentials.OfNode(authority.Issue("w9", Role.Worker), TimeProvider.System);
        await using var node = await StartAsync(TlsTransport.BetweenNodes(own));
        await using var worker = new Stranger(Cluster.Get(node.System).SelfAddress, "akka.cluster.roles = [worker]", workers);
        await worker.JoinAsync(deadline.Token);
        await UnharmedAsync(node, worker, worker.SpeakForAnother,
            "a message of Elastic from {0} is refused: it speaks for gpu7-8h2m4xyq, and worker w9 has signed it");
    }

    private static void Attack(Stranger stranger)
    {
        stranger.SpeakElastic();
        stranger.SendOtherPayloads();
        stranger.DeployActors();
        stranger.DownTheNode();
        stranger.ReportOthersAsEnded();
        stranger.EndActors();
    }
}
