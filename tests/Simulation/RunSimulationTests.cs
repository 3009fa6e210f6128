using CsCheck;
using Elastic.Coordination;
using Elastic.Messages.Runs;
using static Elastic.Testing.RunSamples;

namespace Elastic.Simulation.Tests;

// Whole runs on many nodes among accidents, thousands of them. One number decides each; a failure prints it, and CsCheck_Seed=… replays it.
public sealed class RunSimulationTests
{
    private static readonly Gen<(int Seed, int Replicas, int Chunks, double Seconds)> Worlds =
        Gen.Select(Gen.Int.Positive, Gen.Int[1, 4], Gen.Int[1, 5], Gen.Double[0, 12]);

    [Fact]
    public void Nodes_and_supervisors_that_come_and_go_do_not_change_the_result() =>
        Worlds.Sample(w => { Finish(w.Seed, w.Replicas, w.Chunks, new Accidents(w.Seconds)); }, iter: 1000);

    [Fact]
    public void Nothing_that_was_committed_is_lost_while_one_node_of_two_that_hold_it_is_left() =>
        Worlds.Sample(w =>
        {
            var world = Finish(w.Seed, w.Replicas, w.Chunks, new Accidents(w.Seconds, Gentle: true));
            Assert.DoesNotContain(world.Supervisor.Journal, e => e is RunEvent.RolledBack);
        }, iter: 1000);

    [Fact]
    public void Lost_blobs_do_not_change_the_result() =>
        Worlds.Sample(w => { Finish(w.Seed, w.Replicas, w.Chunks, new Accidents(w.Seconds, LosesBlobs: true)); }, iter: 1000);

    [Fact]
    public void A_node_that_computes_wrongly_is_found_out_and_does_not_change_the_result() =>
        Worlds.Sample(w =>
        {
            var world = Finish(w.Seed, w.Replicas, w.Chunks, new Accidents(w.Seconds, Liar: true), auditRate: 1);
            Assert.All(world.Supervisor.Run.Quarantined.Keys, q => Assert.True(world.Nodes.Single(n => n.Id.Value == q).Lies));
            Assert.True(!world.Supervisor.Run.Quarantined.IsEmpty || !world.Supervisor.Journal.Any(e => e is RunEvent.ReplicaSettled));
        }, iter: 1000);

    [Fact]
    public void The_accidents_reach_every_kind_of_event()
    {
        var worlds = Enumerable.Range(0, 40).Select(seed => Finish(seed, 3, 3, new Accidents(20, LosesBlobs: true)))
            .Concat(Enumerable.Range(0, 10).Select(seed => Finish(seed, 3, 3, new Accidents(10, Liar: true), auditRate: 1)));
        Type[] never = [typeof(RunEvent.SettingsChanged)];   // nobody changes his mind
        Assert.Equal(
            typeof(RunEvent).GetNestedTypes().Except(never).Select(t => t.Name).Order(),
            worlds.SelectMany(w => w.Supervisor.Journal).Select(e => e.GetType().Name).Distinct().Order());
    }

    [Fact]
    public void Even_one_accident_at_a_time_takes_work_with_it_and_stops_and_hands_over()
    {
        var kinds = Enumerable.Range(0, 20).SelectMany(seed => Finish(seed, 3, 3, new Accidents(20, Gentle: true)).Supervisor.Journal).Select(e => e.GetType()).ToHashSet();
        Assert.Contains(typeof(RunEvent.WorkLost), kinds);
        Assert.Contains(typeof(RunEvent.ReplicaHandedOver), kinds);
    }

    private static VirtualWorld Finish(int seed, int replicas, int chunks, Accidents accidents, double auditRate = 0)
    {
        var plan = Plan with
        {
            Replicas = replicas,
            Elements = ElementsOf(chunks),
            Rounds = 5,
            CheckpointEvery = 1 + seed % 2,
            CheckpointsKept = 1 + seed / 2 % 2,
            AuditRate = auditRate,
        };
        var world = new VirtualWorld(seed, plan, accidents);
        world.Run();

        var (run, journal) = (world.Supervisor.Run, world.Supervisor.Journal);
        Assert.Equal(VirtualArithmetic.Expected(plan), (run.Ledger, run.Version!.Value));
        Assert.Equal(plan.Rounds * plan.TokensPerRound, run.TokensSeen);
        Assert.Equal(RunPhase.Finished, run.Phase(plan));
        Assert.Equal(Deep(run), Deep(Fold(RunState.Empty(Id), [.. journal])));
        return world;
    }
}
