using System.Collections.Concurrent;
using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Foundation.Certificates;
using Elastic.Hostile;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Hostile;

/// <summary>The authority of the cluster that the specs attack, and two of its certificates.</summary>
public sealed class AttackedAuthority : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-").FullName;
    private readonly TestAuthority _authority;

    public AttackedAuthority()
    {
        _authority = new TestAuthority(_folder);
        Seed = Credentials.OfNode(_authority.Issue("s1", Role.Seed), TimeProvider.System);
        Worker = Credentials.OfNode(_authority.Issue("w9", Role.Worker), TimeProvider.System);
        Seed.Say = Refused.Enqueue;
    }

    public Credentials Seed { get; }

    public Credentials Worker { get; }

    /// <summary>Whom the seed has refused in the handshake, and why.</summary>
    public ConcurrentQueue<string> Refused { get; } = [];

    public void Dispose()
    {
        Worker.Dispose();
        Seed.Dispose();
        _authority.Dispose();
        Directory.Delete(_folder, true);
    }
}

/// <summary>
/// The same attacks on a cluster with certificates: without one they end in the handshake; a worker's certificate gives no orders and
/// speaks for no other node, whatever role its process claims.
/// </summary>
public sealed class CertifiedHostileSpecs(AttackedAuthority authority) : HostileScene, IClassFixture<AttackedAuthority>, IAsyncLifetime
{
    private ElasticNode _node = null!;

    private Address Address => Akka.Cluster.Cluster.Get(_node.System).SelfAddress;

    public async ValueTask InitializeAsync() => _node = await StartAsync(TlsTransport.BetweenNodes(authority.Seed));

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        Dispose();
    }

    [Fact]
    public async Task A_process_without_a_certificate_gets_no_further_than_the_handshake()
    {
        using var others = new TestAuthority(Path.Combine(Folder, "others"));
        using var foreign = Credentials.OfNode(others.Issue("s1", Role.Seed), TimeProvider.System);
        await using var plain = new Stranger(Address);
        await using var impostor = new Stranger(Address, credentials: foreign);
        foreach (var stranger in new[] { plain, impostor })
            await UnharmedAsync(_node, stranger, () => Attack(stranger));
        await UntilAsync(
            () => authority.Refused.Any(r => r.Contains("no certificate of this cluster", StringComparison.Ordinal)),
            () => string.Join(Environment.NewLine, authority.Refused));
        Assert.DoesNotContain("is refused", Log(), StringComparison.Ordinal);       // nothing was read
    }

    [Fact]
    public async Task A_worker_s_certificate_gives_no_orders_though_its_process_joins_as_a_seed()
    {
        await using var worker = await JoinedAsync("seed");
        await UnharmedAsync(_node, worker, () => Attack(worker),
            "a message of Elastic from {0} is refused: only a seed says that, and worker w9 has signed it",
            "a message of Akka's membership from {0} is refused: it is of a kind that no node sends",
            "a message of Akka's remote deployment from {0} is refused");
    }

    [Fact]
    public async Task A_worker_s_certificate_speaks_for_no_other_node()
    {
        await using var worker = await JoinedAsync("worker");
        await UnharmedAsync(_node, worker, worker.SpeakForAnother,
            "a message of Elastic from {0} is refused: it speaks for gpu7-8h2m4xyq, and worker w9 has signed it");
    }

    // A process with a worker's certificate that is in the cluster with the role that it claims.
    private async Task<Stranger> JoinedAsync(string role)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        var stranger = new Stranger(Address, $"akka.cluster.roles = [{role}]", authority.Worker);
        // Refusals for one reason are no reason to keep quiet about the next one.
        stranger.SpeakElastic();
        await UntilAsync(
            () => Log().Contains("is refused: that process is no member of the cluster", StringComparison.Ordinal), () => Log());
        // A seed stays only where it is in the database: here, somebody has got hold of that, too.
        var name = Contacts.NameOf(Akka.Cluster.Cluster.Get(stranger.System).SelfAddress);
        await new SeedRegistry(DatabaseAddress.Parse(null, Folder)).BeatAsync(name, deadline.Token);
        await stranger.JoinAsync(deadline.Token);
        return stranger;
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
