using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Simulation;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// How runs of epochs begin, go on, and get longer.
public sealed class EpochRequestTests
{
    // The same start, asked for once more.
    private static readonly RunRequest.Start Again = VirtualRun.Begin(1);

    // 2 replicas x 3 steps x 8 sequences: 48 samples a round.
    [Fact]
    public void A_run_of_epochs_ends_with_their_last_sample_also_where_that_is_in_its_first_step()
    {
        var one = Epochs(1);
        var run = Fold(RunState.Empty(Id), [.. Decide(RunState.Empty(Id), Begin with { Settings = one, Blocks = 10 }, null).Events]);
        Assert.Equal(10, run.Samples);
        Assert.Equal((1, 1L, 10 * 16L), (RunPlan.Of(run).Rounds, RunPlan.Of(run).TotalSteps, RunPlan.Of(run).TokensBefore(1)));
        PassesOver(run, Again with { Settings = one, Blocks = 10 });
    }

    // One epoch of 100 samples: two whole rounds, and a third of one step of 4 samples.
    [Theory]
    [InlineData(0, 1, 5, "(0,1,0,7) (1,3,0,13) (4,1,8,13)")]
    [InlineData(1, 2, 5, "(0,2,0,7) (2,2,0,13) (4,1,8,13)")]
    [InlineData(2, 3, 6, "(0,2,0,7) (2,1,12,7) (3,2,0,14) (5,1,12,14)")]    // the short round may have begun: it stays short
    [InlineData(3, 3, 6, "(0,2,0,7) (2,1,12,7) (3,2,0,14) (5,1,12,14)")]
    public void A_run_of_epochs_gets_longer_from_the_first_round_on_that_has_not_begun(int round, int from, int rounds, string segments)
    {
        var run = At(round) with { Settings = Epochs(1), Blocks = 100, Samples = 100 };
        var two = Again with { Settings = Epochs(2), Blocks = 100 };
        var change = new SettingsChanged(Id, Epochs(2), Again.Origin, new RunExtension(from, 3, rounds, 100, 200));
        Stores(run, two, change);
        var after = Fold(run, change);
        var timeline = RunPlan.Of(after).Timeline;
        Assert.Equal(
            segments,
            string.Join(' ', timeline.Segments.Select(s => $"({s.FromRound},{s.Rounds},{s.MissingSamples},{s.ScheduleSteps})")));
        Assert.Equal(200, timeline.TotalSamples);
        PassesOver(after, two);
        Assert.Equal(
            from == 3, RunRequests.Describe(change.Extension!, SettingsText.Read(Epochs(2)), timeline)
                .Contains("round 2, which was to be its last, has fewer steps or samples", StringComparison.Ordinal));
    }

    [Fact]
    public void A_run_of_epochs_gets_longer_by_whole_rounds_too_and_never_shorter()
    {
        var run = At(1) with { Settings = Epochs(1), Blocks = 100, Samples = 100 };
        var three = Text(s => s with { Run = s.Run with { Rounds = 3 } });
        Stores(run, Again with { Settings = three, Blocks = 100 },
            new SettingsChanged(Id, three, Again.Origin, new RunExtension(2, 3, 3, 100)));
        Refuses(run, Again with { Settings = Text(s => s with { Run = s.Run with { Rounds = 2 } }), Blocks = 100 },
            "run a was started with other settings (run.rounds: none -> 2; run.epochs: 1 -> none): it has 3 rounds and can get more, not "
            + "fewer; put them back, or leave them out, to go on with it; or start a new run under another name");
        // The short round has begun: three rounds it has already.
        PassesOver(At(2) with { Settings = Epochs(1), Blocks = 100, Samples = 100 }, Again with { Settings = three, Blocks = 100 });
    }

    [Fact]
    public void A_run_of_epochs_of_an_older_journal_goes_on_with_whole_rounds()
    {
        var run = At(1) with { Settings = Epochs(1), Blocks = 100, Samples = null };
        Assert.Equal((3, 9L, 144L), (RunPlan.Of(run).Rounds, RunPlan.Of(run).TotalSteps, RunPlan.Of(run).Timeline.TotalSamples));
        PassesOver(run, Again with { Settings = Epochs(1), Blocks = 100 });
        Stores(run, Again with { Settings = Epochs(2), Blocks = 100 },
            new SettingsChanged(Id, Epochs(2), Again.Origin, new RunExtension(2, 3, 5, null, 200)));
    }

    [Fact]
    public void A_replica_without_samples_in_a_round_counts_for_the_version_and_not_for_the_loss()
    {
        var plan = PlanOf(replicas: 2, rounds: 1, chunks: 2, missing: 41);        // 7 of 48 samples: all of replica 0
        var run = Fold(Computing);
        var results = Enumerable.Range(0, 2).Select(r => Result(0, r) with { Tokens = plan.TokensOf(0, r), LossNats = r == 0 ? 2.5 : 0 });
        Assert.Equal([7 * 16L, 0], results.Select(r => r.Tokens));
        foreach (var result in results)
        {
            var decision = Run.Decide(run, plan, Finish(A, result));
            Assert.Null(decision.Refusal);
            run = Fold(run, [.. decision.Events]);
        }
        run = Fold(run, Chunks(0));
        run = Fold(run, [.. Run.Decide(run, plan, Commit(0)).Events]);
        Assert.Equal((1, 2.5, 7 * 16L), (run.Round, run.TrainLossNats, run.TokensSeen));
    }

    private static string Epochs(int epochs) => Text(s => s with { Run = s.Run with { Rounds = null, Epochs = epochs } });

    private static void Refuses(RunState run, object command, string why)
    {
        var decision = Decide(run, command, Plan);
        Assert.Equal(why, decision.Refusal);
        Assert.Empty(decision.Events);
    }

    private static void PassesOver(RunState run, object command)
    {
        var decision = Decide(run, command, Plan);
        Assert.Null(decision.Refusal);
        Assert.Empty(decision.Events);
    }

    private static void Stores(RunState run, object command, SettingsChanged stored)
    {
        var decision = Decide(run, command, Plan);
        Assert.Null(decision.Refusal);
        Assert.Equal(Deep(stored), Deep(Assert.IsType<SettingsChanged>(Assert.Single(decision.Events))));
    }
}
