using System.Text.Json;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>A run that somebody looks after with the real <c>pbm</c> over mutual TLS, from its start to its end.</summary>
public sealed class OperatedRunScenarios : ClusterScenario
{
    private const string Name = TestCluster.Run;

    // A round takes so long that there is something to hand over when one is interrupted.
    private static readonly string[] LongRounds = ["run.inner-steps=30", "run.rounds=30"];

    [Fact]
    public async Task A_run_that_is_changed_paused_drained_and_stopped_by_pbm_ends_as_one_process_with_the_same_changes_ends()
    {
        Cluster.UseCertificates();
        var seed = Cluster.Seed("seed", launch: Here.Elastic);
        await Cluster.StartAsync(seed);
        await Cluster.StartAsync(Cluster.Worker("first", launch: Here.Slow));
        using var pbm = new PbmPrompt(seed.PbmEndpoint, Cluster.PbmOptions(seed));
        await pbm.AskAsync(
            $"run start -n {Name} -c {Cluster.Files.ClusterConfig} -d {Cluster.Files.Corpus} -s {string.Join(" -s ", LongRounds)}",
            line => line.TryGetProperty("started", out _));
        using var watch = Watch(seed);

        // A node that joins in the middle gets work of the rounds that follow.
        var late = Cluster.Worker("late", launch: Here.Slow);
        await Cluster.StartAsync(late);
        await Cluster.UntilAsync("it took steps", () => late.Stepped.Count > 0);
        await pbm.AskAsync($"run set -n {Name} -k optimizer.learning-rate -v 5e-4 -k run.replicas -v 3 --yes", Is("set", true));
        await pbm.AskAsync($"node drain -n {late.Endpoint}", line => line.GetProperty("state").GetString() == "drained");
        await pbm.AskAsync($"node drain -n {late.Endpoint} --undo");
        await Cluster.RoundAsync(Cluster.Round + 1);

        await pbm.AskAsync($"run pause -n {Name}");
        await Cluster.UntilAsync("the run was paused", () => Cluster.Phase == "paused");
        // A client that does not know whether its request arrived gives it again.
        Assert.Equal((0, 0), await PbmPrompt.GiveTwiceAsync(
            seed.PbmEndpoint, Cluster.AdminCertificates!, "run", "checkpoint", "-n", Name));
        Assert.Matches("^[0-9a-f]{64}$", (await pbm.AskAsync($"run status -n {Name}")).GetProperty("fingerprint").GetString()!);
        await pbm.AskAsync($"run resume -n {Name}");
        await Cluster.RoundAsync(Cluster.Round + 1);

        await pbm.AskAsync($"run stop -n {Name}");
        Assert.Equal(1, await watch.EndAsync());                        // as docs/pbm.md says of a run that was stopped
        await pbm.AskAsync($"run start -n {Name}", line => line.TryGetProperty("started", out _));
        using var again = Watch(seed);
        await pbm.AskAsync($"run set -n {Name} -k run.rounds -v {Cluster.Round + 3} --yes", Is("set", true));
        Assert.Equal(0, await again.EndAsync());
        Assert.Equal(0, await pbm.EndAsync());

        var rounds = again.Lines.Where(l => !l.IsError).Select(l => JsonDocument.Parse(l.Text).RootElement).ToList();
        Assert.Equal("finished", rounds[^1].GetProperty("phase").GetString());
        Assert.Equal(rounds.Select(r => r.GetProperty("round").GetInt32()).Order(), rounds.Select(r => r.GetProperty("round").GetInt32()));

        var changes = (await Cluster.JournalAsync(seed)).OfType<RunEvent.SegmentPlanned>().Select(e => e.Change).ToList();
        Assert.Equal(2, changes.Count);
        var events = await Cluster.ProvenAsync(seed, await Undisturbed.ChangedAsync(
            [$"{changes[0].FromRound} optimizer.learning-rate=5e-4", $"{changes[0].FromRound} run.replicas=3",
                $"{changes[1].FromRound} run.rounds={rounds[^1].GetProperty("rounds").GetInt32()}"], LongRounds));
        Assert.Contains(events.OfType<RunEvent.ReplicaComputed>(), e => e.Node == late.Id);
        Assert.Contains(events.OfType<RunEvent.ReplicaHandedOver>(), e => e.HandOver.Step > 0);
        Assert.Single(events.OfType<RunEvent.CheckpointRequested>());
        Assert.Equal([true, false], events.OfType<RunEvent.RunPaused>().Select(e => e.IsBreak));
        Assert.Equal(2, events.OfType<RunEvent.RunResumed>().Count());
    }

    private ElasticProcess Watch(ClusterNode seed) =>
        PbmPrompt.Run(seed.PbmEndpoint, Cluster.PbmOptions(seed), "run", "watch", "-n", Name);

    private static Func<JsonElement, bool> Is(string key, bool value) => line => line.GetProperty(key).GetBoolean() == value;
}
