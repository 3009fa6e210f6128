using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Elastic.Simulation;
using Elastic.Testing;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// The decider, arm by arm: what it refuses and with which sentence, what it passes over, what it stores.
public sealed class RunTests
{
    // The same start, asked for once more.
    private static readonly RunRequest.Start Again = VirtualRun.Begin(1);

    [Fact]
    public void Before_a_run_is_started_everything_else_is_refused()
    {
        Refuses(RunState.Empty(Id), new RunRequest.Stop(VirtualRun.Name, VirtualRun.By(7)), "there is no run a: start it first");
    }

    [Fact]
    public void Settings_that_cannot_be_read_or_used_are_refused_before_they_are_stored()
    {
        foreach (var run in new[] { RunState.Empty(Id), Started })
        {
            Refuses(run, Again with { Settings = "{}" }, "run a cannot be started: the stored settings of the run lack run.name");
            Refuses(run, Again with { Settings = Text(s => s with { Batch = s.Batch with { Micro = 0 } }) },
                "run a cannot be started: batch.micro = 0: use 1 to 1048576");
            Refuses(run, Again with { Blocks = 0 },
                "run a cannot be started: its corpus has no training block: add text, or set corpus.sample-tokens lower");
            foreach (var elements in new[] { 0, -1, long.MinValue, ModelSettings.MostParameters + 1, long.MaxValue })
                Refuses(run, Again with { Elements = elements }, $"run a cannot be started: its model has {elements} parameters");
            var endless = Text(s => s with { Run = s.Run with { Rounds = null, Epochs = 1_000_000 } });
            Refuses(run, Again with { Settings = endless, Blocks = 1L << 60 },
                "run a cannot be started: it has more rounds or tokens than can be counted: use fewer run.epochs, or more run.inner-steps");
        }
    }

    [Fact]
    public void A_start_stores_the_settings_and_the_corpus() =>
        Stores(
            RunState.Empty(Id), Begin,
            new RunStarted(Id, Begin.Run, Begin.Settings, RunSamples.Elements, D("corpus"), 1000, 100, Begin.Arithmetic, Begin.Origin),
            new CorpusPublished(Id, D("manifest")));

    [Fact]
    public void A_start_on_another_corpus_is_refused() => Refuses(Started, Again with { Corpus = D("other") },
        $"run a was started on another corpus ({D("corpus").Short}, now {D("other").Short}): " +
        "put the corpus back, or start a new run under another name");

    [Fact]
    public void A_start_with_other_settings_is_refused_and_each_difference_is_named() => Refuses(
        Started,
        Again with { Settings = Text(s => s with { Run = s.Run with { Seed = 43 }, Batch = s.Batch with { Sequences = 16 } }) },
        "run a was started with other settings (run.seed: 42 -> 43; batch.sequences: 8 -> 16): " +
        "put them back, or leave them out, to go on with it; or start a new run under another name");

    [Fact]
    public void A_start_with_other_settings_on_another_corpus_names_all_of_it() => Refuses(
        Started,
        Again with { Corpus = D("other"), Settings = Text(s => s with { Run = s.Run with { Rounds = 3, Seed = 43 } }) },
        $"run a was started with other settings (corpus: {D("corpus").Short} -> {D("other").Short}; run.seed: 42 -> 43; " +
        "run.rounds: 4 -> 3): it has 4 rounds and can get more, not fewer; " +
        "put them back, or leave them out, to go on with it; or start a new run under another name");

    [Theory]
    [InlineData(0, 1)]                                                   // round 0 may have begun on a node
    [InlineData(2, 3)]
    [InlineData(3, 4)]
    [InlineData(4, 4)]                                                   // the run is over
    public void A_run_gets_longer_from_the_first_round_on_that_has_not_begun(int round, int from)
    {
        var longer = Text(s => s with { Run = s.Run with { Rounds = 9 } });
        var change = new SettingsChanged(Id, longer, Again.Origin, new RunExtension(from, 4, 9));
        Stores(At(round), Again with { Settings = longer }, change);
        var after = Fold(At(round), change);
        Assert.False(after.IsFinished);
        var plan = RunPlan.Of(after);
        Assert.Equal((9, 12L, 27L), (plan.Rounds, plan.At(0).ScheduleSteps, plan.At(from).ScheduleSteps));
        Assert.Equal(from == 0 ? 27L : 12L, plan.At(Math.Max(0, from - 1)).ScheduleSteps);
        Assert.Equal(RunPlan.Of(At(round)).TokensBefore(4), plan.TokensBefore(4));
        PassesOver(after, Again with { Settings = longer });
    }

    [Fact]
    public void A_round_that_had_begun_before_a_roll_back_keeps_its_learning_rate()
    {
        var run = Fold(At(3), new RolledBack(Id, Checkpoint(2), "damaged"));
        var longer = Text(s => s with { Run = s.Run with { Rounds = 9 } });
        Stores(run, Again with { Settings = longer }, new SettingsChanged(Id, longer, Again.Origin, new RunExtension(4, 4, 9)));
    }

    [Fact]
    public void A_run_that_is_made_longer_twice_in_one_round_goes_by_the_last_length()
    {
        var run = Fold(At(1),
            new SettingsChanged(Id, Text(s => s with { Run = s.Run with { Rounds = 6 } }), Again.Origin, new RunExtension(2, 4, 6)),
            new SettingsChanged(Id, Text(s => s with { Run = s.Run with { Rounds = 9 } }), Again.Origin, new RunExtension(2, 6, 9)));
        Assert.Equal([(0, 2, 12L), (2, 7, 27L)], RunPlan.Of(run).Timeline.Segments.Select(s => (s.FromRound, s.Rounds, s.ScheduleSteps)));
    }

    // Three steps a round: 12 in four rounds. A fall over their last quarter begins with the last round.
    [Theory]
    [InlineData(LearningRateSchedule.Constant, 4, "its learning rate is constant, so it ends in the weights of a run that was started")]
    [InlineData(LearningRateSchedule.InverseSquareRoot, 4, "its inverse-square-root schedule is the same up to there, so it ends")]
    [InlineData(LearningRateSchedule.WarmupStableDecay, 3, "its warmup-stable-decay schedule is the same up to there, so it ends")]
    [InlineData(LearningRateSchedule.WarmupStableDecay, 4, "from round 4 on its warmup-stable-decay schedule goes down over 9 rounds")]
    [InlineData(LearningRateSchedule.Cosine, 2, "from round 2 on its cosine schedule goes down over 9 rounds, so the learning rate rises")]
    public void What_a_longer_run_does_to_the_weights_is_said(LearningRateSchedule schedule, int from, string said)
    {
        var settings = SettingsText.Read(Text(s => s with
        { Optimizer = s.Optimizer with { Schedule = schedule, DecayShare = 0.25, WarmupSteps = 2 } }));
        Assert.Equal(3, settings.Run.InnerSteps);
        Assert.Contains(said, RunRequests.Describe(new RunExtension(from, 4, 9), settings, Plan.Timeline), StringComparison.Ordinal);
    }

    [Fact]
    public void A_start_on_a_machine_of_other_arithmetic_is_refused() => Refuses(
        Started, Again with { Arithmetic = "cuda 2.10" },
        "run a began with other arithmetic (cpu 2; here: cuda 2.10), and would end in other weights than an undisturbed run: " +
        "go on where the arithmetic is the same, or start a new run under another name from its checkpoint (model.init)");

    [Fact]
    public void A_run_from_before_the_one_arithmetic_of_all_CPUs_says_so() => Refuses(
        Started with { Arithmetic = "1 cpu AuthenticAMD AVX512 x 1 thread" }, Again,
        "run a began with other arithmetic (1 cpu AuthenticAMD AVX512 x 1 thread; here: cpu 2), and would end in other weights than an " +
        "undisturbed run (it was begun by an older Elastic, when each kind of CPU had its own): " +
        "go on where the arithmetic is the same, or start a new run under another name from its checkpoint (model.init)");

    [Fact]
    public void A_start_that_differs_only_in_what_does_not_change_the_weights_goes_on_with_the_new_settings()
    {
        var settings = Text(s => s with { Checkpoint = s.Checkpoint with { Keep = 7 }, Evaluation = s.Evaluation with { Sequences = 3 } });
        Stores(Started, Again with { Settings = settings }, new SettingsChanged(Id, settings, Again.Origin));
        PassesOver(Started, Again);
    }

    [Fact]
    public void A_run_learns_where_its_corpus_is_when_it_is_started_again() =>
        Stores(Started with { Manifest = null }, Again, new CorpusPublished(Id, D("manifest")));

    [Fact]
    public void A_stop_lasts_until_somebody_starts_the_run()
    {
        Stores(At(1), new RunRequest.Stop(VirtualRun.Name, VirtualRun.By(7)), new RunPaused(Id, VirtualRun.By(7)));
        var paused = Carry(At(1), new RunRequest.Stop(VirtualRun.Name, VirtualRun.By(7)));
        PassesOver(paused, new RunRequest.Stop(VirtualRun.Name, VirtualRun.By(7)));
        PassesOver(Fold(At(4), new RunFinished(Id, 4, D("fingerprint 4"))), new RunRequest.Stop(VirtualRun.Name, VirtualRun.By(7)));
        Stores(paused, Again, new RunResumed(Id, Again.Origin));
        Assert.False(Carry(paused, Again).IsPaused);
    }

    [Fact]
    public void The_arithmetic_is_chosen_once()
    {
        Stores(Started with { Arithmetic = "" }, new CoordinatorCommand.ChooseArithmetic("cuda"), new ArithmeticChosen(Id, "cuda"));
        PassesOver(Started, new CoordinatorCommand.ChooseArithmetic("cuda 2.10"));
        PassesOver(Started, Again with { Arithmetic = "" });               // started where there are no devices
    }

    [Fact]
    public void Only_work_of_the_current_round_that_there_is_can_be_lost()
    {
        Stores(WithResults(At(1)), new CoordinatorCommand.LoseWork(1, [1, 7], "gone"), new WorkLost(Id, 1, [1], false, "gone"));
        // Nor are sums that contain it believed.
        Stores(WithChunks(WithResults(At(1))), new CoordinatorCommand.LoseWork(1, [1], "gone"), new WorkLost(Id, 1, [1], true, "gone"));
        PassesOver(WithResults(At(1)), new CoordinatorCommand.LoseWork(0, [1], "gone"));
        PassesOver(At(1), new CoordinatorCommand.LoseWork(1, [0, 1], "gone"));
        var run = Carry(WithResults(At(1)), new CoordinatorCommand.LoseWork(1, [1], "gone"));
        Assert.Equal([0], run.Finished.Keys);
        Assert.Equal([0], run.Quorums.Keys);
    }

    [Fact]
    public void A_result_that_starts_from_another_version_is_refused_and_one_of_an_earlier_round_passed_over()
    {
        Refuses(At(1), Finish(A, Result(1, 0)) with { From = D("another") },
            $"the compute of round 1 starts from version {D("another").Short}, and round 1 from {Version(1).Short}");
        PassesOver(At(2), Finish(A, Result(1, 0)));
    }

    [Fact]
    public void A_second_version_0_is_passed_over()
    {
        PassesOver(Computing, Made(A, D("other"), D("f")));
        PassesOver(Computing, Made(A, D("version 0"), D("fingerprint 0")));
        PassesOver(At(1), Made(A, D("other"), D("f")));
        Stores(Started, Made(A, D("v"), D("f")), new RunInitialized(Id, D("v"), D("f")));
    }

    [Fact]
    public void A_result_of_a_later_round_is_refused() =>
        Refuses(At(1), Finish(A, Result(2, 0)) with { From = Version(1) }, "round is 1, not 2");

    [Fact]
    public void A_result_after_the_last_round_is_refused() =>
        Refuses(At(4), Finish(A, Result(4, 0)), "all 4 rounds are committed: there is no round 4");

    [Theory]
    [InlineData(-1)]
    [InlineData(2)]
    public void A_result_or_a_hand_over_of_a_replica_that_does_not_exist_is_refused(int replica)
    {
        Refuses(Computing, Finish(A, Result(0, replica)), $"there is no replica {replica} of 2");
        Refuses(Computing, Stopped(A, HandOver(0, replica, 1)), $"there is no replica {replica} of 2");
    }

    [Fact]
    public void A_result_that_counts_other_tokens_than_the_round_has_is_refused() =>
        Refuses(Computing, Finish(A, Result(0, 1) with { Tokens = 383 }), "replica 1 counts 383 tokens where the round has 384");

    [Fact]
    public void A_result_is_stored_once()
    {
        PassesOver(At(1), Finish(A, Result(0, 0, " whatever")));
        PassesOver(Averaging, Finish(A, Result(0, 0)));
        Stores(Computing, Finish(A, Result(0, 0)), new ReplicaComputed(Id, Result(0, 0), A));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(3)]
    public void A_hand_over_outside_of_the_steps_of_the_round_is_refused(int step) =>
        Refuses(Computing, Stopped(A, HandOver(0, 0, step)), $"replica 0 stopped after step {step} where the round has 3");

    [Fact]
    public void Only_a_hand_over_that_is_further_on_is_stored()
    {
        Refuses(Computing, Stopped(A, HandOver(1, 0, 1)) with { From = Version(0) }, "round is 0, not 1");
        var run = Fold(Computing, new ReplicaHandedOver(Id, HandOver(0, 0, 1)));
        PassesOver(run, Stopped(A, HandOver(0, 0, 0)));
        PassesOver(run, Stopped(A, HandOver(0, 0, 1)));
        PassesOver(Averaging, Stopped(A, HandOver(0, 0, 2)));
        PassesOver(At(1), Stopped(A, HandOver(0, 0, 2)));
        Stores(run, Stopped(A, HandOver(0, 0, 2)), new ReplicaHandedOver(Id, HandOver(0, 0, 2)));
        Assert.Empty(Carry(run, Finish(A, Result(0, 0))).HandedOver);
    }

    [Fact]
    public void Chunks_are_refused_before_all_replicas_are_in()
    {
        Refuses(Fold(Computing, new ReplicaComputed(Id, Result(0, 0), A)), Sums(A, 0, 0),
            "only 1 of 2 replicas are in: nothing can be averaged yet");
        Refuses(Averaging, Sums(A, 1, 0) with { From = Version(0) }, "round is 0, not 1");
        Refuses(Averaging, Sums(A, 0, 0, 2), "the model has 2 chunks");
        Refuses(Averaging, Sums(A, 0, -1), "the model has 2 chunks");
    }

    [Fact]
    public void A_chunk_that_arrives_again_with_other_bytes_is_refused_and_does_not_replace_the_first()
    {
        var run = Fold(Averaging, new ChunksAveraged(Id, 0, [Chunk(0, 0)]));
        Refuses(run, Sums(A, 0, Inputs(0), [Chunk(0, 1), Chunk(0, 0, "x")]),
            $"chunk 0 was averaged before, to other bytes ({Chunk(0, 0).Parameters.Short}, now {Chunk(0, 0, "x").Parameters.Short}): " +
            "check memory and disks");
        PassesOver(run, Sums(A, 0, 0));
        PassesOver(At(1), Sums(A, 0, Inputs(0), [Chunk(0, 0, "x")]));
        PassesOver(run, Sums(A, 0, D("other contributions"), [Chunk(0, 0, "x"), Chunk(0, 1, "x")]));
        Stores(run, Sums(A, 0, 0, 1), new ChunksAveraged(Id, 0, [Chunk(0, 1)]));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(1, 5)]
    public void A_commit_that_too_few_nodes_hold_is_refused(int holders, int nodes) =>
        Refuses(Assembling, Commit(0, holders, nodes), $"{holders} of {nodes} nodes hold the version: too few to survive the loss of one");

    [Fact]
    public void A_commit_is_refused_while_chunks_are_lacking_or_in_another_round()
    {
        Refuses(Assembling, Commit(1), "round is 0, not 1");
        Refuses(Fold(Averaging, new ChunksAveraged(Id, 0, [Chunk(0, 0)])), Commit(0), "only 1 of 2 chunks are averaged");
        PassesOver(At(1), Commit(0));
    }

    [Fact]
    public void A_commit_of_another_version_than_the_chunks_make_up_is_refused() => Refuses(
        Assembling, Commit(0) with { Version = D("of a result that was outvoted") },
        $"version {D("of a result that was outvoted").Short} is of results that do not count any more");

    [Fact]
    public void A_commit_is_refused_when_a_result_was_lost_after_it_had_been_averaged()
    {
        var run = Fold(Assembling, new WorkLost(Id, 0, [1], false, "gone"));
        Refuses(run, Commit(0), "only 1 of 2 replicas are in");
        Assert.Equal(RunPhase.Computing, run.Phase(Plan));
        Assert.Equal(RunPhase.Assembling, Carry(run, Finish(A, Result(0, 1))).Phase(Plan));        // the same bytes: the chunks stand
    }

    [Fact]
    public void A_commit_counts_the_tokens_extends_the_hash_chain_and_opens_the_next_round()
    {
        var chain = HashChain.Append(HashChain.Empty, [HashChain.Of(Result(0, 0)), HashChain.Of(Result(0, 1))], Version(1));
        Stores(Assembling, Commit(0, 1, 1), new RoundCommitted(Id, 0, Version(1), D("fingerprint 1"), 2 * 3 * 8 * 16, chain));

        var run = Carry(Assembling, Commit(0));
        Assert.Equal((1, Version(1), 768, chain), (run.Round, run.Version!.Value, run.TokensSeen, run.ChainHead));
        Assert.Equal([D("inner 0 0"), D("inner 0 1")], run.InnerStates);
        Assert.Equal(3.0, run.TrainLossNats);                            // the mean of 2.5 and 3.5
        Assert.Equal((0, 0, 0), (run.Finished.Count, run.HandedOver.Count, run.Averaged.Count));
        Assert.Equal(RunPhase.Computing, run.Phase(Plan));
    }

    [Fact]
    public void Only_the_score_of_the_newest_version_is_stored()
    {
        PassesOver(At(2), Scored(A, new VersionScore(2, 9, 9)));
        PassesOver(At(1), Scored(A, new VersionScore(0, 9, 9)));
        Stores(Computing, Scored(A, new VersionScore(0, 5, 8)), new VersionEvaluated(Id, new VersionScore(0, 5, 8)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_run_is_finished_when_the_last_version_is_scored_and_durable_whichever_comes_first(bool scoredFirst)
    {
        var last = Carry(WithChunks(WithResults(At(3))), Commit(3));
        WorkResult score = Scored(A, new VersionScore(4, 1, 1.4)), store = Stored(A, CheckpointOf(last));
        var (first, second) = scoredFirst ? (score, store) : (store, score);

        var almost = Carry(last, first);
        Assert.False(almost.IsFinished);
        Assert.Equal(new RunFinished(Id, 4, D("fingerprint 4")), Decide(almost, second, Plan).Events[^1]);
        Assert.Equal(RunPhase.Finished, Carry(almost, second).Phase(Plan));
        PassesOver(Carry(almost, second), second);
    }

    [Fact]
    public void A_run_without_held_out_text_is_finished_by_its_last_checkpoint()
    {
        var run = Carry(WithChunks(WithResults(At(3))), Commit(3));
        var decision = Decide(run, Stored(A, CheckpointOf(run)), Plan with { EvaluateEvery = 0 });
        Assert.Equal(new RunFinished(Id, 4, D("fingerprint 4")), decision.Events[^1]);
    }

    internal static string Deep<T>(IReadOnlyList<T> events) =>
        string.Join('\n', events.Select(e => $"{e!.GetType().Name} {RunSamples.Deep((object)e)}"));

    internal static void Refuses(RunState run, object command, string why)
    {
        var decision = Decide(run, command, run.Exists ? Plan : null);
        Assert.Equal(why, decision.Refusal);
        Assert.Empty(decision.Events);
    }

    internal static void PassesOver(RunState run, object command)
    {
        var decision = Decide(run, command, Plan);
        Assert.Null(decision.Refusal);
        Assert.Empty(decision.Events);
    }

    internal static void Stores(RunState run, object command, params RunEvent[] events)
    {
        var decision = Decide(run, command, run.Exists ? Plan : null);
        Assert.Null(decision.Refusal);
        Assert.Equal(Deep(events), Deep(decision.Events));
    }
}
