using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

public sealed class RunProgressTests
{
    private readonly TurnedClock _clock = new();
    private readonly RunProgress _progress;

    public RunProgressTests() => _progress = new RunProgress();

    [Fact]
    public void Before_two_steps_there_is_no_speed()
    {
        Assert.Equal(0, _progress.TokensPerSecond(_clock.Now));
        _progress.Count(Step(0, 0, 1), 128, _clock.Now);
        Assert.Equal(0, _progress.TokensPerSecond(_clock.Now));
        _progress.Count(Step(0, 1, 1), 128, _clock.Now);                             // at the same moment
        Assert.Equal(0, _progress.TokensPerSecond(_clock.Now));
    }

    [Fact]
    public void Speed_is_tokens_over_the_time_between_the_first_step_and_the_last()
    {
        for (var i = 0; i < 5; i++)
        {
            _progress.Count(Step(0, 0, i), 128, _clock.Now);
            _clock.Seconds += 0.5;
        }

        Assert.Equal(4 * 128 / 2.0, _progress.TokensPerSecond(_clock.Now));
    }

    [Fact]
    public void The_first_reports_of_two_replicas_say_nothing_about_speed()
    {
        for (var step = 0; step < 3; step++)
        {
            _progress.Count(Step(0, 0, step), 9000, _clock.Now);
            _clock.Seconds += 0.01;
            _progress.Count(Step(0, 1, step), 9000, _clock.Now);
            Assert.InRange(_progress.TokensPerSecond(_clock.Now), 0, 300.1);
            _clock.Seconds += 59.99;
        }

        Assert.InRange(_progress.TokensPerSecond(_clock.Now), 299, 300.1);
    }

    [Fact]
    public void Steps_that_another_process_took_are_not_speed()
    {
        _progress.Count(Step(0, 0, 0), 100, _clock.Now);
        _clock.Seconds += 2;
        _progress.Count(Step(0, 1, 17), 100, _clock.Now);                            // went on from a hand-over
        Assert.Equal(0, _progress.TokensPerSecond(_clock.Now));
        _clock.Seconds += 2;
        _progress.Count(Step(0, 1, 18), 100, _clock.Now);
        Assert.Equal(25, _progress.TokensPerSecond(_clock.Now));
    }

    [Fact]
    public void Reports_that_arrive_together_say_nothing_about_speed()
    {
        for (var step = 0; step < 20; step++)
        {
            _progress.Count(Step(0, 0, step), 1000, _clock.Now);
            _clock.Seconds += 0.001;
        }

        Assert.Equal(0, _progress.TokensPerSecond(_clock.Now));
    }

    [Fact]
    public void Speed_forgets_what_is_longer_ago_than_15_seconds()
    {
        for (var i = 0; i < 10; i++)
        {
            _progress.Count(Step(0, 0, i), 1000, _clock.Now);
            _clock.Seconds += 0.1;
        }

        _clock.Seconds += 100;
        for (var i = 10; i < 13; i++)
        {
            _progress.Count(Step(0, 0, i), 10, _clock.Now);
            _clock.Seconds += 1;
        }

        Assert.Equal(10, _progress.TokensPerSecond(_clock.Now));
    }

    [Fact]
    public void Reports_that_come_at_once_after_a_while_do_not_make_a_speed_of_their_own()
    {
        for (var i = 1; i <= 100; i++)                                               // a node that joins again
        {
            _progress.Count(Step(0, 0, i), 1000, _clock.Now);
            _clock.Seconds += 0.002;
        }

        Assert.Equal(0, _progress.TokensPerSecond(_clock.Now));
    }

    [Fact]
    public void Two_replicas_that_report_together_are_as_fast_as_their_steps()
    {
        for (var i = 1; i <= 4; i++)
        {
            _progress.Count(Step(0, 0, i), 1000, _clock.Now);
            _clock.Seconds += 0.004;
            _progress.Count(Step(0, 1, i), 1000, _clock.Now);
            _clock.Seconds += 9.996;
        }

        Assert.Equal(200, _progress.TokensPerSecond(_clock.Now), 1.0);
    }

    [Fact]
    public void Steps_of_before_this_supervisor_are_no_speed_and_a_run_that_rests_has_none()
    {
        _progress.Count(Step(0, 0, 1), 10, _clock.Now);
        _clock.Seconds = 2;
        _progress.Count(Step(0, 0, 2), 10, _clock.Now);
        _progress.Count(Step(0, 1, 5000), 10, _clock.Now);                           // heard of for the first time
        Assert.Equal(5, _progress.TokensPerSecond(_clock.Now));
        _clock.Seconds = 30;
        Assert.Equal(0, _progress.TokensPerSecond(_clock.Now));                      // no more reports come
        _clock.Seconds = 3;
        _progress.Rest();
        Assert.Equal(0, _progress.TokensPerSecond(_clock.Now));
    }

    [Fact]
    public void Steps_samples_and_tokens_add_up_over_rounds_results_and_hand_overs()
    {
        var run = Fold(At(1), new RunEvent.ReplicaHandedOver(Id, HandOver(1, 1, 1)));
        var before = View(run);
        Assert.Equal(
            (3, 12, 6 * 8 + 8, (6 * 8 + 8) * 16, 24 * 8 * 16),
            (before.Steps, before.TotalSteps, before.Samples, before.Tokens, before.TotalTokens));

        _progress.Count(Step(1, 1, 2), 128, _clock.Now);                             // goes on from the hand-over
        _progress.Count(Step(1, 0, 2), 128, _clock.Now);
        Assert.Equal((5, (6 + 2 + 2) * 8), (View(run).Steps, View(run).Samples));

        run = Fold(run, new RunEvent.ReplicaComputed(Id, Result(1, 0), A));  // counts as its three steps, not as its newest report
        Assert.Equal((5, (6 + 3 + 2) * 8), (View(run).Steps, View(run).Samples));
        Assert.Equal((6, 12 * 8), (View(WithResults(run)).Steps, View(WithResults(run)).Samples));
    }

    [Fact]
    public void What_a_view_tells_agrees_with_the_round_that_it_closes()
    {
        _progress.Count(Step(1, 0, 3), 128, _clock.Now);
        _progress.Count(Step(1, 1, 3), 128, _clock.Now);
        var (end, next) = (View(WithResults(At(1))), View(At(2)));
        Assert.Equal((end.Steps, end.Samples, end.Tokens), (next.Steps, next.Samples, next.Tokens));
    }

    [Fact]
    public void The_loss_is_the_mean_of_the_replicas_newest_steps_or_the_last_round_s()
    {
        Assert.Equal(3.0, View(At(1)).TrainLoss);
        Assert.Null(View(Computing).TrainLoss);
        _progress.Count(Step(1, 0, 2) with { LossNats = 2, LearningRate = 0.25 }, 128, _clock.Now);
        _progress.Count(Step(1, 1, 1) with { LossNats = 1, LearningRate = 0.5 }, 128, _clock.Now);
        Assert.Equal((1.5, 0.25), (View(At(1)).TrainLoss, View(At(1)).LearningRate));
    }

    [Fact]
    public void A_view_shows_the_newest_score_checkpoint_fingerprint_and_fleet()
    {
        var view = _progress.View(At(3), Plan, FleetOf(("a", 1), ("b", 4)), RunPhase.Computing, _clock.Now);
        Assert.Equal((3, 4, RunPhase.Computing), (view.Round, view.Rounds, view.Phase));
        Assert.Equal((3.0, 6.0, 2), (view.ValLoss, view.BitsPerByte, view.ScoredRound));
        Assert.Equal((D("fingerprint 3"), "round-2.json"), (view.Fingerprint, view.Checkpoint));
        Assert.Equal(2, view.Nodes);
        Assert.Null(View(Started).Fingerprint);
    }

    [Fact]
    public void A_view_shows_the_smallest_loss_scale_and_all_steps_that_replicas_have_skipped()
    {
        _progress.Count(Step(1, 0, 5), 128, _clock.Now);
        Assert.Equal(((double?)null, (long?)null), (View(At(1)).LossScale, View(At(1)).SkippedSteps));
        _progress.Count(Step(1, 0, 6) with { Scaling = new(65_536, 0, 4) }, 128, _clock.Now);
        _progress.Count(Step(1, 1, 6) with { Scaling = new(8192, 2, 3) }, 128, _clock.Now);
        Assert.Equal((8192, 7), (View(At(1)).LossScale, View(At(1)).SkippedSteps));
        Assert.Equal((1, 2), (View(At(1)).SkippedRound, View(At(1)).SkippedInRound));
        _progress.Count(Step(2, 0, 1) with { Scaling = new(4096, 1, 5) }, 128, _clock.Now);
        var view = View(At(2));
        Assert.Equal((4096, 8, 2, 1), (view.LossScale, view.SkippedSteps, view.SkippedRound, view.SkippedInRound));
    }

    private RunView View(RunState run) => _progress.View(run, Plan, ClusterView.Empty, run.Phase(Plan), _clock.Now);

    private static NodeReport.StepTaken Step(int round, int replica, int step) => new(new NodeId("a"), Id, round, replica, step, 3, 1e-3);

    private sealed class TurnedClock
    {
        public double Seconds { get; set; }

        public TimeSpan Now => TimeSpan.FromMilliseconds(Math.Round(Seconds * 1000));
    }
}
