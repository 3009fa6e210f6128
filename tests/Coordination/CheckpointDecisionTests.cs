using Elastic.Messages.Runs;
using static Elastic.Coordination.Tests.RunTests;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

/// <summary>Which checkpoints a run takes from nodes, which it needs, and which it keeps.</summary>
public sealed class CheckpointDecisionTests
{
    [Fact]
    public void A_checkpoint_of_a_later_version_is_refused_and_one_of_an_older_version_comes_too_late()
    {
        Refuses(At(2), Stored(A, Checkpoint(3)) with { From = Version(2) }, "round is 2, not 3");
        PassesOver(At(2), Stored(A, Checkpoint(2)));
        PassesOver(At(3), Stored(A, Checkpoint(1)));      // perhaps dropped since, its blobs deleted
    }

    [Fact]                                                            // a roll-back would go on from it
    public void A_checkpoint_that_names_something_else_than_the_run_has_is_refused()
    {
        var run = Carry(WithChunks(WithResults(At(3))), Commit(3));
        var right = CheckpointOf(run);
        Checkpoint[] wrong =
        [
            right with { Parameters = D("others") }, right with { Fingerprint = D("other") }, right with { ChainHead = D("other") },
            right with { TokensSeen = 1 }, right with { InnerStates = [.. right.InnerStates.Reverse()] },
        ];
        Assert.All(wrong, c => Refuses(run, Stored(A, c),
            "it names other parameters, moments or counts than the run has after round 4: check the node's memory"));
        Stores(run, Stored(A, right), new CheckpointTaken(Id, right));
    }

    [Fact]
    public void The_newest_checkpoints_are_kept_and_the_others_dropped()
    {
        var plan = PlanOf(replicas: 2, rounds: 40, chunks: 2);
        var run = Fold(
            Computing, [.. new[] { 2, 4, 6 }.Select(v => new CheckpointTaken(Id, Checkpoint(v)))]) with
        { Round = 8, Version = Version(8) };
        var decision = Decide(run, Stored(A, CheckpointOf(run)), plan);
        Assert.Equal(
            Deep<RunEvent>([new CheckpointTaken(Id, CheckpointOf(run)), new CheckpointDropped(Id, 2), new CheckpointDropped(Id, 4)]),
            Deep(decision.Events));
        Assert.Equal([6, 8], Fold(run, [.. decision.Events]).Checkpoints.Select(c => c.Version));
    }

    // Where scores end the run: who wants the best version has no other way to it.
    [Fact]
    public void The_best_version_is_made_durable_whichever_round_it_comes_from_and_kept_beside_the_newest()
    {
        var plan = PlanOf(replicas: 2, rounds: 40, chunks: 2) with { Patience = 3, CheckpointEvery = 10 };
        var run = Fold(
            Computing, [.. new[] { 2, 4, 6 }.Select(v => new CheckpointTaken(Id, Checkpoint(v)))]) with
        { Round = 8, Version = Version(8), BestScore = new VersionScore(2, 3, 4) };
        Assert.True(run.IsDurable(plan));
        var decision = Decide(run, Stored(A, CheckpointOf(run)), plan);
        Assert.Equal([2, 6, 8], Fold(run, [.. decision.Events]).Checkpoints.Select(c => c.Version));

        run = run with { BestScore = new VersionScore(8, 2, 3) };
        Assert.False(run.IsDurable(plan));
        Assert.True(run.IsDurable(plan with { Patience = 0 }));
        run = Fold(run, [.. Decide(run, Stored(A, CheckpointOf(run)), plan).Events]);
        Assert.Equal([6, 8], run.Checkpoints.Select(c => c.Version));
        Assert.True(run.IsDurable(plan));
    }
}
