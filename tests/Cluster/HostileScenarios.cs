using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Hostile;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>
/// A hostile process speaks Akka.Remote, HTTP and pbm to all nodes of a cluster from the beginning of a run to its end, and the run ends as
/// if nobody had.
/// </summary>
public sealed class HostileScenarios : ClusterScenario
{
    // Enough for all attacks to be tried more than once.
    private const string Short = "run.rounds=4";

    // Of a round, as the configuration has it: 20 steps of 4 x 32 tokens.
    private const int Replicas = 4, TokensOfAReplica = 20 * 4 * 32;

    // What somebody with pbm's token or certificate may type; each of them ended a seed or a worker once.
    private static readonly string[][] Commands =
    [
        ["run", "start", "-n", "x", "-s", "run.rounds=${run.rounds}"], ["run", "start", "-n", "x", "-s", "model.layers=50000000"],
        ["run", "start", "-n", "x", "-s", "batch.sequences=2147483647"],
        ["run", "start", "-n", "../../x"], ["run", "start", "-n", "x'; DROP TABLE journal; --"], ["run", "delete", "-n", "../tiny"],
        ["run", "start", "-n", "x", "-s", $"a={new string('[', 250)}"], ["run", "start", "-n", "x", "-s", $"{new string('a', 9000)}.b=1"],
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Two_devices_and_one_on_two_workers_end_in_the_same_fingerprint_while_a_hostile_process_tries_all_that_it_knows(
        bool certified)
    {
        if (certified)
            Cluster.UseCertificates();
        var seed = Cluster.Seed("seed");
        await Cluster.StartAsync(seed);
        ClusterNode[] workers = [Cluster.Worker("a", "cpu:2"), Cluster.Worker("b")];
        await Cluster.StartAsync(workers);
        await Cluster.StartRunAsync(Short);
        await Cluster.UntilAsync("version 0 was there", async () =>
            (await Cluster.JournalAsync(seed)).Any(e => e is RunEvent.RunInitialized));

        using var credentials = certified
            ? Credentials.OfNode(Cluster.Certificates!.Issue("w9", Role.Worker), TimeProvider.System)
            : null;
        using var ending = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var attacks = AttackAsync(credentials, [seed, .. workers], seed, ending.Token);
        await Cluster.FinishedAsync();
        await ending.CancelAsync();
        Assert.InRange(await attacks, 1, int.MaxValue);

        // Every node is still the process that it was, and the seed has written down what it has refused.
        Assert.All(Cluster.Nodes, node => Assert.True(node.IsUp, node.Describe()));
        Assert.Contains(seed.Log.Lines, l => l.Contains("is refused: ", StringComparison.Ordinal));
        Assert.DoesNotContain(seed.Log.Lines, l => l.Contains("Deserialization failed", StringComparison.Ordinal));
        var events = await Cluster.SameAsUndisturbedAsync(seed, Short);
        Assert.DoesNotContain(
            events, e => e is RunEvent.RunPaused or RunEvent.NodeQuarantined or RunEvent.RolledBack or RunEvent.ReplicaContested);
    }

    // Again and again until it is told to end. Returns how often all was tried.
    private async Task<int> AttackAsync(
        Credentials? credentials, IReadOnlyList<ClusterNode> nodes, ClusterNode seed, CancellationToken cancel)
    {
        var transport = credentials is null ? Transport.Plain : TlsTransport.BetweenNodes(credentials);
        var control = nodes.Select(n => Endpoint.Parse(n.Endpoint).ToAddress()).ToList();
        // One that never joins, and one that joins as a worker and says whatever it likes.
        await using var stranger = new Stranger(control[0], credentials: credentials);
        var member = await JoinedAsync();
        var times = 0;
        for (; !cancel.IsCancellationRequested; times++)
        {
            // The seed removes one that it has not heard for seconds, as on a busy machine.
            if (member.IsRemoved)
            {
                await member.DisposeAsync();
                member = await JoinedAsync();
            }

            // What it cannot know, it is told.
            var events = await Cluster.JournalAsync(seed);
            stranger.Run = member.Run = events[0].RunId;
            var (round, version) = events.OfType<RunEvent.RoundCommitted>().LastOrDefault() is { } committed
                ? (committed.Round + 1, committed.Version)
                : (0, events.OfType<RunEvent.RunInitialized>().Single().Version);
            foreach (var address in control)
            {
                (stranger.Victim, member.Victim) = (address, address);
                stranger.MoveSingletonAndShards();
                foreach (var hostile in new[] { stranger, member })
                {
                    hostile.SpeakElastic();
                    hostile.SendOtherPayloads();
                    hostile.DeployActors();
                    hostile.DownTheNode();
                    hostile.ReportOthersAsEnded();
                    hostile.ForgeResults(round, version, TokensOfAReplica, Replicas, nodes.Select(n => n.Id));
                    hostile.EndActors();
                }
            }

            var answers = await Task.WhenAll(
            [
                .. nodes.Select(n => HostileRequests.AskDataPlaneAsync(transport, Endpoint.Parse(n.HttpEndpoint), CancellationToken.None)),
                HostileRequests.AskPbmAsync(transport, Endpoint.Parse(seed.PbmEndpoint), CancellationToken.None),
            ]);
            Assert.Empty(answers.SelectMany(a => a));
            foreach (var command in Commands)
                Assert.NotEqual(0, (await Cluster.PbmAsync(command)).Code);
            await Task.Delay(500, CancellationToken.None);                // the nodes' processors are this process's, too
        }

        await member.DisposeAsync();
        return times;

        async Task<Stranger> JoinedAsync()
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            var joined = new Stranger(control[0], "akka.cluster.roles = [worker]", credentials);
            await joined.JoinAsync(deadline.Token);
            return joined;
        }
    }
}
