using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Akka.Actor;
using Elastic.Actors.Hosting;
using Elastic.Actors.Runs;
using Elastic.Coordination;
using Elastic.Foundation.Certificates;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Hosting;

/// <summary>Lists of revoked certificates, and when certificates expire, travel with the heartbeats of a node to the supervisors.</summary>
public sealed class RevocationSpecs : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private static readonly Wait Soon = new(Deadline, TimeSpan.FromMilliseconds(10));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private CertificateFiles Authority => new(Path.Combine(Folder, "seed1"));

    [Fact]
    public async Task A_list_reaches_nodes_from_the_supervising_seed_and_that_seed_from_any_node()
    {
        using (var issuer = await Issuer.CreateAsync(Authority, TimeProvider.System, Cancel))
            foreach (var (name, role) in new[] { ("seed1", Role.Seed), ("seed2", Role.Seed), ("gpu1", Role.Worker), ("gpu2", Role.Worker) })
                Issue(issuer, new CertificateFiles(Path.Combine(Folder, name)), new Identity(name, role));
        using Credentials seed1 = Open("seed1"), seed2 = Open("seed2"), gpu1 = Open("gpu1"), gpu2 = Open("gpu2");
        var database = DatabaseAddress.Parse(null, Folder);
        await database.PrepareAsync(_ => { }, Cancel);
        var system = ActorSystem.Create(
            "revocations", database.JournalSettings().WithFallback(AkkaSettings.ForDevices(new DataPaths(Folder))));
        await using var observations = new Observations(new ObservationStore(database));
        try
        {
            // The second seed supervises; the authority's key is the first one's.
            var runs = system.ActorOf(RunsActor.Props(new RunsContext(
                new SupervisorContext(
                    new CoordinatorSettings(GoesOn: true, TimeSpan.FromMinutes(1)), new CommitFence(database), observations),
                new RunList(database), "127.0.0.1:80", ElasticNode.Version, new LivenessConnections(), seed2)));
            using var agent = Inbox.Create(system);
            async Task BeatAsync(string name, IActorRef link)
            {
                link.Tell(Report(name));
                await agent.FindAsync<NodeNews.Welcome>(Deadline);            // the link has said that it is there
            }

            Action<string> say = _ => { };
            IActorRef LinkOf(string name, Credentials credentials) =>
                system.ActorOf(Props.Create(() => new LinkActor(agent.Receiver, runs, say, credentials)), $"link-{name}");

            var (of1, ofSeed1) = (LinkOf("gpu1", gpu1), LinkOf("seed1", seed1));
            await BeatAsync("gpu1", of1);
            Assert.Equal(0, gpu1.Revocations.Number);

            using (var issuer = await Issuer.OpenAsync(Authority, TimeProvider.System, Cancel))
                issuer.Revoke("gpu2");
            await Soon.UntilAsync("the first seed had noticed its own list", () => Task.FromResult(seed1.Revocations.Number == 1));
            await BeatAsync("seed1", ofSeed1);
            await Soon.UntilAsync("the list had reached the supervising seed", () => Task.FromResult(seed2.Revocations.Number == 1));
            await BeatAsync("gpu1", of1);
            Assert.Equal(1, gpu1.Revocations.Number);
            Assert.Equal(seed1.SignedRevocations, await File.ReadAllTextAsync(gpu1.Files.Revocations, Cancel));

            // A list that the authority has not signed is nobody's.
            var forged = seed1.SignedRevocations!.Replace("gpu2", "gpu1", StringComparison.Ordinal);
            of1.Tell(new NodeReport.Revoked(new NodeId("gpu1"), forged));
            await BeatAsync("gpu1", of1);
            Assert.Equal(seed1.SignedRevocations, seed2.SignedRevocations);

            var table = new NodeTable(TimeProvider.System);
            table.Note(new CertificateExchange(gpu1, say).Complete(Report("gpu1")), ActorRefs.Nobody);
            Assert.Equal(gpu1.Expires.ToUnixTimeSeconds(), table.Views().Single().CertificateExpires);
        }
        finally
        {
            await system.Terminate();
        }
    }

    [Fact]
    public void A_process_without_certificates_says_and_takes_nothing()
    {
        var exchange = new CertificateExchange(null, Assert.Fail);
        var report = Report("a");
        Assert.Same(report, exchange.Complete(report));
        var welcome = new NodeNews.Welcome("127.0.0.1:80") { Revocations = 1, Revoked = "x" };
        Assert.Same(welcome, exchange.Complete(welcome, report));
        Assert.Null(exchange.Receive(welcome, report.Node));
    }

    private Credentials Open(string name) => Credentials.OfNode(new CertificateFiles(Path.Combine(Folder, name)), TimeProvider.System);

    private static void Issue(Issuer issuer, CertificateFiles files, Identity identity)
    {
        Directory.CreateDirectory(files.Folder);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateFiles.WriteSecret(files.Key, key.ExportPkcs8PrivateKeyPem());
        CertificateFiles.WritePublic(files.Authority, issuer.AuthorityPem);
        CertificateFiles.WritePublic(files.Certificate, issuer.Issue(new PublicKey(key), identity, CertificateAuthority.Validity, "test"));
    }

    private static NodeReport.Enlist Report(string name) => new(new NodeId(name))
    {
        Devices = [],
        Incarnation = name,
        Address = $"{name}:1",
        Endpoint = $"{name}:80",
        Seed = false,
        Version = ElasticNode.Version,
        Arithmetic = "",
        Works = [],
        Leaving = false,
    };
}
