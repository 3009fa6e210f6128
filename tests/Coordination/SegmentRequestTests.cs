using System.Globalization;
using CsCheck;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Simulation;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// Settings that change in mid-run: what is refused and why, what is stored, and what the timeline makes of it.
public sealed class SegmentRequestTests
{
    private const string Slower = """{"optimizer.learning-rate":0.001}""";

    // Of a run of two replicas, three steps of eight sequences a round, four rounds.
    [Theory]
    [InlineData("""{"run.seed":43}""", "run.seed decides the order of all samples, those that were read among them; that would be")]
    [InlineData("""{"model.layers":2}""", "model.layers is part of the model, whose weights would not fit any more; that would be another")]
    [InlineData("""{"corpus.tokenizer":"bytes"}""", "corpus.tokenizer decides what the corpus is, and the run's samples are counted")]
    [InlineData("""{"optimizer.kind":"muon"}""", "optimizer.kind: the moments of one optimizer are none of another's; that would be")]
    [InlineData("""{"run.averaging":"nesterov"}""", "run.averaging decides what a run keeps from one round to the next, and cannot change")]
    [InlineData("""{"checkpoint.keep":3}""", "checkpoint.keep changes no weight, and so begins no segment: give it with the start")]
    [InlineData("""{"run.priority":3}""", "run.priority changes no weight, and so begins no segment: use pbm run priority")]
    [InlineData("""{"run.devices-per-replica":1}""", "run.devices-per-replica changes no weight, and so begins no segment: use pbm run")]
    [InlineData("""{"optimizer.learning-rate":0}""", "optimizer.learning-rate = 0: use a number above 0")]
    [InlineData("""{"optimizer.minimum-learning-rate":1}""", "optimizer.minimum-learning-rate = 1: use 0 to optimizer.learning-rate")]
    [InlineData("""{"batch.sequences":9}""", "batch.sequences = 9 does not divide by batch.micro = 2")]
    [InlineData("""{"run.rounds":1}""", "run.rounds = 1: 2 rounds are over or have begun; use 2 or more")]
    [InlineData("""{"run.rounds":4,"run.epochs":1}""", "run.rounds and run.epochs: set exactly one of them")]
    [InlineData("""{"run.rounds":null,"run.epochs":1000000}""", null)]
    [InlineData("""{"no.key":1}""", "the settings that change hold no.key, which this version of Elastic does not know")]
    [InlineData("""{"batch.sequences":"x"}""", "the settings that change hold no usable batch.sequences")]
    [InlineData("[]", "the settings that change are not a JSON object")]
    [InlineData("{", "the settings that change cannot be read: ")]
    public void What_cannot_change_is_refused_with_the_reason(string settings, string? why)
    {
        var decision = Decide(At(1), Set(settings), RunPlan.Of(At(1)));
        if (why is null)
            Assert.Null(decision.Refusal);
        else
            Assert.StartsWith($"run a keeps its settings: {why}", decision.Refusal!, StringComparison.Ordinal);
        Assert.Equal(why is null ? 1 : 0, decision.Events.Count);
    }

    [Fact]
    public void A_start_with_a_setting_that_may_change_says_how_it_is_changed_and_what_it_is_since()
    {
        const string Started = "run a was started with other settings (optimizer.learning-rate: 0.003 -> ";
        const string PutBack = "): put them back, or leave them out, to go on with it; ";
        const string OrNew = "or start a new run under another name";
        var again = VirtualRun.Begin(1);
        RunRequest.Start With(Func<TrainingSettings, TrainingSettings> change) => again with { Settings = Text(change) };
        RunRequest.Start Rate(double rate) => With(s => s with { Optimizer = s.Optimizer with { LearningRate = rate } });

        Refuses(At(1), Rate(0.0005), $"{Started}0.0005{PutBack}to change optimizer.learning-rate from round 2 on: pbm run set -n a -k "
            + "optimizer.learning-rate -v 0.0005, or elastic train --changes FILE with the line \"2 optimizer.learning-rate=0.0005\"; "
            + OrNew);
        var changed = Carry(At(1), Set(Slower, 3));
        Refuses(changed, Rate(0.0005), $"{Started}0.0005, and 0.001 since a change in mid-run{PutBack}to change optimizer.learning-rate "
            + "from round 3 on: pbm run set -n a -k optimizer.learning-rate -v 0.0005 -r 3, or elastic train --changes FILE with the line "
            + $"\"3 optimizer.learning-rate=0.0005\"; {OrNew}");
        // It has that rate already.
        Refuses(changed, Rate(0.001), $"{Started}0.001, and 0.001 since a change in mid-run{PutBack}{OrNew}");
        Asks("-k optimizer.schedule -v linear", s => s with { Optimizer = s.Optimizer with { Schedule = LearningRateSchedule.Linear } });
        Asks("-k corpus.mixture -v '[\"a=2\",\"b=1\"]'", s => s with { Corpus = s.Corpus with { Mixture = ["a=2", "b=1"] } });

        void Asks(string command, Func<TrainingSettings, TrainingSettings> change) =>
            Assert.Contains(command, RunRequests.Decide(At(1), null, With(change)).Refusal!, StringComparison.Ordinal);
    }

    [Fact]
    public void A_change_begins_with_a_round_that_has_not_begun_and_after_those_that_are_planned()
    {
        Stores(At(1), Set(Slower), new SegmentPlanned(Id, new SettingsChange(2, Slower), VirtualRun.By(5)));
        Refuses(
            At(1), Set(Slower, 1), "run a keeps its settings: round 1 has begun, or is over: a change begins with round 2 or a later one");
        // It may have begun somewhere before the run went back.
        var back = Fold(At(3), new RolledBack(Id, Checkpoint(2), "damaged"));
        Refuses(
            back, Set(Slower, 3), "run a keeps its settings: round 3 has begun, or is over: a change begins with round 4 or a later one");
        var planned = Carry(At(1), Set(Slower, 3));
        Refuses(
            planned, Set("""{"run.replicas":3}""") with { Origin = VirtualRun.By(6) }, "run a keeps its settings: a change is planned from "
            + "round 3 on: let this one begin with that round or a later one, with --round 3");
        Refuses(At(1), Set(Slower, 4), "run a keeps its settings: the run ends with round 3, and the change would begin with round 4: make "
            + "the run longer in the same command, with -k run.rounds -v NUMBER");
        Refuses(At(4), Set(Slower), "run a keeps its settings: the run ends with round 3, and the change would begin with round 4: make "
            + "the run longer in the same command, with -k run.rounds -v NUMBER");
    }

    [Fact]
    public void The_mixture_of_a_run_that_reads_its_corpus_while_it_is_built_stays()
    {
        var run = At(1) with
        {
            Settings = Text(s => s with { Corpus = s.Corpus with { Order = Messages.Settings.CorpusOrder.Stream, Mixture = ["a=2"] } }),
        };
        Refuses(run, Set("""{"corpus.mixture":["a=3"]}"""), "run a keeps its settings: corpus.mixture decides how many samples each window "
            + "of a corpus has that is read while it is built (corpus.order = stream), and these are in the journal; that would be another "
            + "run: start a new one from this one's checkpoint (model.init)");
        PassesOver(run, Set("""{"corpus.mixture":["a=2"]}"""));
        PassesOver(Carry(run, Set(Slower)), Set(Slower));
    }

    [Fact]
    public void Asked_twice_or_for_what_is_so_already_nothing_is_stored()
    {
        var run = Carry(At(1), Set(Slower));
        PassesOver(run, Set(Slower));
        PassesOver(run, Set(Slower) with { Origin = VirtualRun.By(6) });
        PassesOver(At(1), Set(Slower) with { OnlyTells = true });
        PassesOver(At(1), Set("""{"optimizer.learning-rate":0.003}"""));
    }

    [Fact]
    public void What_it_does_is_said_before_it_is_done()
    {
        var run = At(1);
        var asked = Set("""{"run.replicas":3,"run.rounds":6,"optimizer.learning-rate":0.001}""");
        var (planned, _) = SegmentRequests.Plan(run, RunPlan.Of(run), asked.Settings, null, asked.Origin);
        Assert.Equal(
            [
                "from round 2 on (sample 96, step 6 of each replica):",
                "  run.replicas: 2 -> 3",
                "  run.rounds: 4 -> 6",
                "  optimizer.learning-rate: 0.003 -> 0.001",
                "the schedule of the learning rate spans 18 steps from there on, where it spanned 12",
                "replicas 2 to 2 begin with moments of zero",
                "the run ends with round 5, after 18 steps and 384 samples (6,144 tokens); it was to end with round 3, after 12 steps and "
                    + "192 samples (3,072 tokens)",
            ],
            SegmentRequests.Describe(run, planned!));
    }

    [Fact]
    public void The_history_has_each_length_from_the_round_on_in_which_it_was_said_and_by_a_start_too()
    {
        string Rounds(int rounds) => Text(s => s with { Run = s.Run with { Rounds = rounds } });
        var run = Fold(
            At(1), new SegmentPlanned(Id, new SettingsChange(2, """{"run.rounds":30}"""), VirtualRun.By(5), new RunExtension(2, 4, 30)),
            new SegmentPlanned(Id, new SettingsChange(3, Slower), VirtualRun.By(6)),
            new SegmentPlanned(Id, new SettingsChange(6, """{"run.rounds":9}"""), VirtualRun.By(7), new RunExtension(6, 30, 9)),
            new SettingsChanged(Id, Rounds(10), VirtualRun.By(8), new RunExtension(9, 9, 10)),
            new SegmentPlanned(Id, new SettingsChange(10, """{"run.rounds":12}"""), VirtualRun.By(9), new RunExtension(10, 10, 12)));
        Assert.Equal(
            [(0, 4, 0.003), (2, 30, 0.003), (3, 30, 0.001), (6, 9, 0.001), (9, 10, 0.001), (10, 12, 0.001)],
            SettingsInForce.History(run).Select(h => (h.Round, h.Settings.Run.Rounds!.Value, h.Settings.Optimizer.LearningRate)));
        Assert.Equal(
            ["2 run.rounds: 4 -> 30", "3 optimizer.learning-rate: 0.003 -> 0.001", "6 run.rounds: 30 -> 9", "9 run.rounds: 9 -> 10",
                "10 run.rounds: 10 -> 12"],
            RunPlan.Of(run).Changes.SelectMany(c => c.Changes.Select(s => $"{c.FromRound} {s}")));
        Assert.Equal(12, SettingsInForce.Newest(run).Run.Rounds);

        // Epochs are told by the sample that the run was to end with.
        var epochs = At(1) with
        {
            Settings = Text(s => s with { Run = s.Run with { Rounds = null, Epochs = 2 } }),
            Blocks = 300,
            Extensions = [new RunExtension(3, 7, 13, 300, 600)],
        };
        Assert.Equal([(0, 1), (3, 2)], SettingsInForce.History(epochs).Select(h => (h.Round, h.Settings.Run.Epochs!.Value)));
    }

    [Theory]
    [InlineData("slower, set 30", "optimizer.learning-rate: 0.003 -> 0.001", "run.rounds: 4 -> 30")]
    [InlineData("slower, set 30, set 20", "optimizer.learning-rate: 0.003 -> 0.001", "run.rounds: 4 -> 30", "run.rounds: 30 -> 20")]
    [InlineData("start 30, slower", "run.rounds: 4 -> 30", "optimizer.learning-rate: 0.003 -> 0.001")]
    [InlineData("start 30, set 20", "run.rounds: 4 -> 30", "run.rounds: 30 -> 20")]
    [InlineData("set 30, start 40, slower", "run.rounds: 4 -> 30", "run.rounds: 30 -> 40", "optimizer.learning-rate: 0.003 -> 0.001")]
    public void Of_several_changes_that_begin_with_one_round_each_is_told_with_what_it_changed(string asked, params string[] told)
    {
        var run = new RunCoordinator(Id, RunPlan.Of, new CoordinatorSettings(GoesOn: true, TimeSpan.FromSeconds(10)));
        Journal(1).ForEach(run.Replay);
        IReadOnlyList<RunOutput> Step(RunInput input) => run.Step(input, TimeSpan.Zero, new Random(1));
        Step(new RunInput.TermBegun(Step(new RunInput.Recovered()).OfType<RunOutput.BeginTerm>().Single().Asking, 1));
        foreach (var (request, i) in asked.Split(", ").Select((request, i) => (request.Split(' '), i)))
        {
            var by = VirtualRun.By(20 + i);
            var outputs = Step(new RunInput.Asked(request switch
            {
                ["start", var rounds] => VirtualRun.Begin(20 + i) with
                {
                    Settings = Text(s => s with { Run = s.Run with { Rounds = int.Parse(rounds, CultureInfo.InvariantCulture) } }),
                },
                ["set", var rounds] => Set($$"""{"run.rounds":{{rounds}}}""") with { Origin = by },
                _ => Set(Slower) with { Origin = by },
            }, this));
            var notice = Assert.Single(outputs.OfType<RunOutput.Notice>()).Text;
            if (request[0] == "start")
                Assert.StartsWith($"the run has {request[1]} rounds from now on, where it had ", notice, StringComparison.Ordinal);
            else
                Assert.Equal($"settings change from round 2 on: {told[i]}", notice);
        }
        Assert.Equal(told.Select(line => (2, line)), run.Plan!.Changes.Select(c => (c.FromRound, Assert.Single(c.Changes))));
    }

    [Theory]
    [InlineData(Messages.Settings.LearningRateSchedule.Cosine, true)]
    [InlineData(Messages.Settings.LearningRateSchedule.Constant, false)]
    [InlineData(Messages.Settings.LearningRateSchedule.InverseSquareRoot, false)]
    public void How_many_steps_the_schedule_spans_is_said_where_it_has_an_end(Messages.Settings.LearningRateSchedule schedule, bool isSaid)
    {
        var run = At(1) with { Settings = Text(s => s with { Optimizer = s.Optimizer with { Schedule = schedule, WarmupSteps = 1 } }) };
        var asked = Set("""{"run.rounds":6}""");
        var (planned, _) = SegmentRequests.Plan(run, RunPlan.Of(run), asked.Settings, null, asked.Origin);
        Assert.Equal(isSaid, SegmentRequests.Describe(run, planned!).Any(l => l.StartsWith("the schedule of", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_run_of_epochs_ends_with_the_same_sample_whatever_its_rounds_become()
    {
        var epochs = Text(s => s with { Run = s.Run with { Rounds = null, Epochs = 1 } });
        var run = Carry(At(1) with { Settings = epochs, Blocks = 300, Samples = 300 }, Set("""{"run.replicas":1,"run.inner-steps":2}"""));
        var timeline = RunPlan.Of(run).Timeline;
        // 2 rounds of 48, then of 16: 204 are left, 12 of them whole, and 12 samples in one step and a half.
        Assert.Equal((300L, 15), (timeline.TotalSamples, timeline.Rounds));
        Assert.Equal([(0, 2, 0L), (2, 12, 0), (14, 1, 4)], timeline.Segments.Select(s => (s.FromRound, s.Rounds, s.MissingSamples)));
        var longer = Carry(run, Set("""{"run.epochs":2}""") with { Origin = VirtualRun.By(6) });
        Assert.Equal(600, RunPlan.Of(longer).Timeline.TotalSamples);
        Assert.Equal(2, SettingsInForce.Newest(longer).Run.Epochs);
        Refuses(run with { FarthestRound = 14 }, Set("""{"run.epochs":2,"run.replicas":2}""", 14) with { Origin = VirtualRun.By(7) },
            "run a keeps its settings: round 14 has begun, or is over: a change begins with round 15 or a later one");
    }

    [Fact]
    public void How_many_samples_an_epoch_has_is_not_known_while_the_corpus_is_built()
    {
        var building = At(1) with { Blocks = 0 };
        Refuses(building, Set("""{"run.rounds":null,"run.epochs":2}"""), "run a keeps its settings: run.epochs: the corpus is still being "
            + "built, and nobody knows yet how many samples an epoch has: use run.rounds, or ask again when the corpus is complete");
        Assert.Equal(6, SettingsInForce.Newest(Carry(building, Set("""{"run.rounds":6}"""))).Run.Rounds);
        // A start knows of the end of the corpus before the builder has said it.
        var start = VirtualRun.Begin(1) with
        {
            Settings = Text(s => s with { Run = s.Run with { Rounds = null, Epochs = 2 } }),
            Blocks = 300,
        };
        var run = Carry(Carry(building, Set("""{"run.rounds":5}""")), start);
        Assert.Equal((null, 2), (SettingsInForce.Newest(run).Run.Rounds, SettingsInForce.Newest(run).Run.Epochs));
        Assert.Equal(2, SettingsInForce.Newest(run with { Blocks = 300 }).Run.Epochs);
        Assert.Equal(600, RunPlan.Of(run).Timeline.TotalSamples);
    }

    [Fact]
    public void A_run_gets_shorter_and_a_start_with_its_name_goes_on_with_what_was_changed()
    {
        var run = Carry(At(1), Set("""{"run.rounds":3,"run.replicas":4}"""));
        Assert.Equal((3, 3, 4), (RunPlan.Of(run).Rounds, SettingsInForce.Newest(run).Run.Rounds, SettingsInForce.Newest(run).Run.Replicas));
        Assert.Equal(2, SettingsInForce.At(run, 1).Run.Replicas);
        Assert.Equal(
            [(0, 2, 4), (2, 4, 3)], SettingsInForce.History(run).Select(h => (h.Round, h.Settings.Run.Replicas, h.Settings.Run.Rounds)));
        PassesOver(run, VirtualRun.Begin(1));
        // By a start it only gets longer, from what it has now.
        var five = Text(s => s with { Run = s.Run with { Rounds = 5 } });
        Stores(run, VirtualRun.Begin(1) with { Settings = five },
            new SettingsChanged(Id, five, VirtualRun.By(1), new RunExtension(2, 3, 5)));
        var longer = Carry(run, VirtualRun.Begin(1) with { Settings = five });
        Assert.Equal(5, SettingsInForce.Newest(longer).Run.Rounds);
        Assert.Equal(5, SettingsInForce.History(longer)[^1].Settings.Run.Rounds);
    }

    [Fact]
    public void Changes_that_a_start_brings_are_stored_with_it_and_later_passed_over()
    {
        SettingsChange[] changes = [new(1, Slower), new(3, """{"run.inner-steps":5}""")];
        var begin = Begin with { Changes = changes };
        var run = Fold(RunState.Empty(Id), [.. Decide(RunState.Empty(Id), begin, null).Events]);
        Assert.Equal(changes, run.Changes);
        Assert.Equal(
            [(0, 1, 3), (1, 2, 3), (3, 1, 5)], RunPlan.Of(run).Timeline.Segments.Select(s => (s.FromRound, s.Rounds, s.InnerSteps)));
        PassesOver(run, begin with { Origin = VirtualRun.By(1) });
        PassesOver(run, Begin with { Origin = VirtualRun.By(1) });
        Refuses(RunState.Empty(Id), Begin with { Changes = [new(0, Slower)] },
            "run a cannot be started: the change from round 0 on: round 0 has begun, or is over: a change begins with round 1 or a later "
            + "one");
        Refuses(At(2), VirtualRun.Begin(1) with { Changes = changes },
            "run a cannot be started: the change from round 1 on: round 1 has begun, or is over: a change begins with round 3 or a later "
            + "one");
    }

    [Fact]
    public void A_change_is_part_of_the_hash_chain_from_its_round_on()
    {
        SettingsChange[] changes = [new(2, Slower)];
        Assert.Equal(D("head"), HashChain.Before(1, D("head"), changes));
        Assert.NotEqual(D("head"), HashChain.Before(2, D("head"), changes));
        Assert.NotEqual(HashChain.Before(2, D("head"), changes), HashChain.Before(2, D("head"), [new(2, """{"batch.micro":4}""")]));
        Assert.Equal(D("head"), HashChain.Before(3, D("head"), changes));
    }

    private static readonly string[] Keys = ["run.replicas", "run.inner-steps", "batch.sequences", "run.rounds", "run.epochs"];

    // R, H, batch, rounds and epochs change at random rounds.
    [Fact]
    public void Every_sample_is_counted_once_over_all_segments_and_what_has_begun_stays() => (
        from changes in (
            from key in Gen.Int[0, 4].Select(i => Keys[i])
            from value in Gen.Int[1, 9]
            from begun in Gen.Int[0, 5]
            select (key, value, begun)).Array[1, 6]
        from isOfEpochs in Gen.Bool
        select (changes, isOfEpochs)).Sample(t =>
    {
        var length = t.isOfEpochs
            ? Text(s => s with { Run = s.Run with { Rounds = null, Epochs = 3 } }) : Text(s => s with { Run = s.Run with { Rounds = 6 } });
        var run = Fold(RunState.Empty(Id), [.. Decide(RunState.Empty(Id), Begin with { Settings = length, Blocks = 111 }, null).Events]);
        foreach (var ((key, value, begun), i) in t.changes.Select((change, i) => (change, i)))
        {
            var before = RunPlan.Of(run);
            run = run with { FarthestRound = Math.Min(run.FarthestRound + begun, before.Rounds) };
            var other = key == "run.rounds" ? "\"run.epochs\":null," : key == "run.epochs" ? "\"run.rounds\":null," : "";
            var number = key == "batch.sequences" ? 2 * value : key == "run.rounds" ? 3 * value : value;
            var set = Set($"{{{other}\"{key}\":{number}}}");
            var decision = Decide(run, set with { Origin = VirtualRun.By(10 + i) }, before);
            run = Fold(run, [.. decision.Events]);
            var after = RunPlan.Of(run);
            for (var round = 0; round <= Math.Min(run.FarthestRound, before.Rounds - 1); round++)
                Assert.Equal(before.At(round) with { Rounds = 1 }, after.At(round) with { Rounds = 1 });
            CheckWhole(after.Timeline);
        }
    }, iter: 300);

    private static void CheckWhole(Timeline timeline)
    {
        var (next, step) = (0L, 0L);
        for (var round = 0; round < timeline.Rounds; round++)
        {
            var segment = timeline.At(round);
            Assert.Equal((next, step), (timeline.SamplesBefore(round), timeline.StepsBefore(round)));
            for (var i = 0; i < segment.InnerSteps; i++)
                for (var replica = 0; replica < segment.Replicas; replica++)
                    for (var index = 0; index < segment.SamplesOf(replica, i); index++)
                        Assert.Equal(next++, segment.PositionOf(round, replica, i, index));
            step += segment.InnerSteps;
            Assert.True(segment.ScheduleSteps >= step);
        }

        Assert.Equal((next, step), (timeline.TotalSamples, timeline.TotalSteps));
    }

    private static RunRequest.Set Set(string settings, int? from = null) =>
        new(VirtualRun.Name, VirtualRun.By(5), settings, from, OnlyTells: false);

    private static void Refuses(RunState run, RunRequest request, string why)
    {
        var decision = Decide(run, request, run.Exists ? RunPlan.Of(run) : null);
        Assert.Equal(why, decision.Refusal);
        Assert.Empty(decision.Events);
    }

    private static void PassesOver(RunState run, RunRequest request)
    {
        var decision = Decide(run, request, RunPlan.Of(run));
        Assert.Null(decision.Refusal);
        Assert.Empty(decision.Events);
    }

    private static void Stores(RunState run, RunRequest request, RunEvent stored) =>
        Assert.Equal([stored], Decide(run, request, RunPlan.Of(run)).Events);

    private static RunState Carry(RunState run, RunRequest request)
    {
        var decision = Decide(run, request, RunPlan.Of(run));
        Assert.Null(decision.Refusal);
        return Fold(run, [.. decision.Events]);
    }
}
