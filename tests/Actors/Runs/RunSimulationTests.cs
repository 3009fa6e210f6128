using CsCheck;
using Elastic.Actors.Runs;
using Elastic.Actors.Tests.Runs.Simulation;
using Elastic.Messages.Runs;
using static Elastic.Actors.Tests.Runs.RunSamples;

namespace Elastic.Actors.Tests.Runs;

// Whole runs among accidents, thousands of them. One number decides each; a failure prints it, and CsCheck_Seed=… replays it.
public sealed class RunSimulationTests
{
    private static readonly Gen<(int Seed, int Replicas, int Chunks, int Accidents)> Worlds =
        Gen.Select(Gen.Int.Positive, Gen.Int[1, 4], Gen.Int[1, 3], Gen.Int[0, 600]);

    [Fact]
    public void Nodes_and_supervisors_that_come_and_go_do_not_change_the_result() =>
        Worlds.Sample(w =>
        {
            var journal = Finish(w.Seed, w.Replicas, w.Chunks, w.Accidents, losses: 0);
            Assert.DoesNotContain(journal, e => e is RunEvent.RolledBack);           // nothing was lost that would call for it
        }, iter: 1000);

    [Fact]
    public void Lost_blobs_do_not_change_the_result() =>
        Worlds.Sample(w => { Finish(w.Seed, w.Replicas, w.Chunks, w.Accidents, losses: 10); }, iter: 1000);

    [Fact]
    public void The_accidents_reach_every_kind_of_event()
    {
        var kinds = Enumerable.Range(0, 60).SelectMany(seed => Finish(seed, 3, 2, 600, losses: 10)).Select(e => e.GetType()).Distinct();
        Assert.Equal(
            typeof(RunEvent).GetNestedTypes().Where(t => t != typeof(RunEvent.ReplicaDisputed) && t != typeof(RunEvent.SettingsChanged))    // nobody lies, nobody changes his mind
                .Select(t => t.Name).Order(),
            kinds.Select(t => t.Name).Order());
    }

    private static List<RunEvent> Finish(int seed, int replicas, int chunks, int accidents, int losses)
    {
        var plan = Plan with { Replicas = replicas, Chunks = chunks, Rounds = 5, CheckpointEvery = 1 + seed % 2, CheckpointsKept = 1 + seed / 2 % 2 };
        var world = new VirtualWorld(seed, plan);
        world.Run(accidents, losses);

        var (run, journal) = (world.Supervisor.Run, world.Supervisor.Journal);
        Assert.Equal(VirtualBlobs.Expected(plan), (run.Ledger, run.Version!.Value));
        Assert.Equal(plan.Rounds * plan.TokensPerRound, run.TokensSeen);
        Assert.Equal(RunPhase.Finished, run.Phase(plan));
        Assert.Equal(Deep(run), Deep(Fold(RunState.Empty(Id), [.. journal])));
        Assert.Empty(Dispatch.Next(run, world.Supervisor.Fleet with { Surveyed = true }, plan).Work);
        return journal;
    }
}
