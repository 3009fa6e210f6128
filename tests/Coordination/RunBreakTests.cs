using Elastic.Messages.Runs;
using Elastic.Simulation;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// What is decided about a pause, its end, and a checkpoint that somebody asks for.
public sealed class RunBreakTests
{
    private static readonly RunRequest.Start Again = VirtualRun.Begin(1);

    [Fact]
    public void A_break_ends_with_a_resume_or_a_start_and_a_stop_makes_it_one_that_only_a_start_ends()
    {
        var pause = new RunRequest.Pause(VirtualRun.Name, VirtualRun.By(7));
        var resume = new RunRequest.Resume(VirtualRun.Name, VirtualRun.By(8));
        Stores(At(1), pause, new RunPaused(Id, pause.Origin, IsBreak: true));
        var paused = Carry(At(1), pause);
        PassesOver(paused, new RunRequest.Pause(VirtualRun.Name, VirtualRun.By(9)));
        Stores(paused, resume, new RunResumed(Id, resume.Origin));
        Stores(paused, Again, new RunResumed(Id, Again.Origin));
        Assert.Equal((false, false), (Carry(paused, resume).IsPaused, Carry(paused, resume).IsBreak));
        PassesOver(At(1), resume);

        var stop = new RunRequest.Stop(VirtualRun.Name, VirtualRun.By(9));
        Stores(paused, stop, new RunPaused(Id, stop.Origin));
        var stopped = Carry(paused, stop);
        Refuses(stopped, resume, "run a is stopped: pbm run start -n a goes on with it");
        Refuses(stopped, new RunRequest.Pause(VirtualRun.Name, VirtualRun.By(10)), "run a is stopped: pbm run start -n a goes on with it");
        var finished = Fold(At(4), new RunFinished(Id, 4, D("fingerprint 4")));
        const string over = "run a is finished; more rounds begin with pbm run start -n a -s run.rounds=NUMBER";
        Refuses(finished, pause, over);
        Refuses(finished, resume, over);
    }

    [Fact]
    public void A_checkpoint_is_asked_of_the_newest_version_and_before_there_is_one_of_the_first()
    {
        var request = new RunRequest.Checkpoint(VirtualRun.Name, VirtualRun.By(7));
        Stores(At(0), request, new CheckpointRequested(Id, 1, request.Origin));
        Stores(At(3), request, new CheckpointRequested(Id, 3, request.Origin));
        var asked = Carry(At(3), request);
        PassesOver(asked, request);
        Assert.False(asked.IsDurable(Plan));
        Assert.True(Fold(asked, new CheckpointTaken(Id, Checkpoint(3))).IsDurable(Plan));
        Assert.True(At(3).IsDurable(Plan));
        PassesOver(Fold(At(4), new RunFinished(Id, 4, D("fingerprint 4"))), request);
    }

    private static void Refuses(RunState run, RunRequest request, string why)
    {
        var decision = RunRequests.Decide(run, Plan, request);
        Assert.Equal(why, decision.Refusal);
        Assert.Empty(decision.Events);
    }

    private static void PassesOver(RunState run, RunRequest request)
    {
        var decision = RunRequests.Decide(run, Plan, request);
        Assert.Null(decision.Refusal);
        Assert.Empty(decision.Events);
    }

    private static void Stores(RunState run, RunRequest request, RunEvent e) =>
        Assert.Equal([e], RunRequests.Decide(run, Plan, request).Events);
}
