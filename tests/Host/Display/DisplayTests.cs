using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Actors.Corpora;
using Elastic.Corpus.Build;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Host.Pbm;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Host.Tests.Display;

public sealed class DisplayTests
{
    private static readonly RunView View = Views.Tiny;

    [Theory]
    [InlineData(0, "0")]
    [InlineData(950, "950")]
    [InlineData(999.7, "1.00k")]
    [InlineData(12_345, "12.3k")]
    [InlineData(1_638_400, "1.64M")]
    [InlineData(10_255_073_280, "10.3B")]
    public void Counts_have_three_digits(double n, string text) => Assert.Equal(text, Units.Count(n));

    [Fact]
    public void One_thing_is_no_plural()
    {
        Assert.Equal(["1 epoch", "2 epochs", "0 shards"], [Units.Many(1, "epoch"), Units.Many(2, "epoch"), Units.Many(0, "shard")]);
        Assert.Equal("1.00k tokens", Units.Count(1000, "token"));
        var settings = ConfigurationLoader.Load(new(["tiny"], ["run.epochs=1", "run.inner-steps=1", "batch.micro=16"])).Training;
        Assert.StartsWith(
            "1 round (1 epoch of 16 blocks) x 1 step x 1 replica   2.05k tokens a step in 1 micro-batch ",
            RunLines.Header("t", settings, blocks: 16)[1],
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-5, "0s")]
    [InlineData(12.4, "12s")]
    [InlineData(185, "3m 05s")]
    [InlineData(7620, "2h 07m")]
    [InlineData(385_200, "4d 11h")]
    public void Durations_have_two_units(double seconds, string text) => Assert.Equal(text, Units.Duration(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(-1, "░░░░")]
    [InlineData(0.5, "██░░")]
    [InlineData(2, "████")]
    [InlineData(double.NaN, "░░░░")]
    public void A_bar_never_leaves_its_width(double share, string bar) => Assert.Equal(bar, Units.Bar(share, 4));

    [Fact]
    public void A_line_says_where_the_run_is_how_good_how_fast_and_how_long() => Assert.Equal(
        "round  5/40  step 100/800  loss 2.3457  val 2.2871 (3.300 bits/byte)  12.3k tokens/s  1m 56s left  e3b0c44298fc",
        RunLines.Progress(View));

    [Fact]
    public void A_line_leaves_out_what_is_not_known_yet() => Assert.Equal(
        "round  0/40  step   0/800",
        RunLines.Progress(
            View with
            {
                Round = 0,
                Steps = 0,
                TrainLoss = null,
                ValLoss = null,
                BitsPerByte = null,
                TokensPerSecond = 0,
                Fingerprint = null
            }));

    [Fact]
    public void An_older_score_is_shown_with_its_round() => Assert.Equal(
        "val 2.2871 (3.300 bits/byte) of round 5", RunLines.ValidationLoss(View with { Round = 6 }));

    [Fact]
    public void The_log_has_each_score_beside_its_own_round_the_last_one_too()
    {
        RunView[] views =
        [
            View, View with { Steps = 119 },
            View with { Round = 6, Steps = 120 },                                    // a round that is not scored
            View with { Round = 40, Steps = 800 },
            View with { Round = 40, Steps = 800, ScoredRound = 40, ValLoss = 1.5, BitsPerByte = null },
            View with { Round = 40, Steps = 800, ScoredRound = 40, ValLoss = 1.5, BitsPerByte = null, Phase = RunPhase.Finished },
        ];
        Assert.Equal(
            [
                "round  5/40  step 100/800  loss 2.3457  val 2.2871 (3.300 bits/byte)  12.3k tokens/s  1m 56s left  e3b0c44298fc",
                "round  6/40  step 120/800  loss 2.3457  12.3k tokens/s  1m 56s left  e3b0c44298fc",
                "round 40/40  step 800/800  loss 2.3457  12.3k tokens/s  1m 56s left  e3b0c44298fc",
                "round 40/40  val 1.5000",
            ],
            views.SelectMany((view, i) => RunLines.Log(i == 0 ? null : views[i - 1], view)));
    }

    [Fact]
    public void A_score_by_source_has_a_line_of_its_own_once_and_all_of_it_is_in_the_json()
    {
        var scored = View with
        {
            SourceScores = [.. Enumerable.Range(0, 10).Select(i => new SourceScore($"s{i}", 2.5 * (10 + i), 10 + i))],
            LanguageScores = [new SourceScore("de", 5, 2), new SourceScore("unknown", 9, 3)],
        };
        string[] lines = [.. RunLines.Log(null, scored), .. RunLines.Log(scored, scored with { Steps = 119 })];
        Assert.Equal(3, lines.Length);
        Assert.Equal("round  5/40  val by language: unknown 3.0000, de 2.5000", lines[2]);
        Assert.Equal(
            "round  5/40  val by source: s9 2.5000, s8 2.5000, s7 2.5000, s6 2.5000, s5 2.5000, s4 2.5000 and 4 more",
            lines[1]);
        Assert.Equal(
            "…ows in a long folder/file.xml 2.5000",
            RunLines.Losses([new SourceScore("what follows in a long folder/file.xml", 5, 2)]));
        var json = JsonNode.Parse(RunJson.Write(scored))!["valSources"]!.AsArray();
        Assert.Equal("""{"source":"s3","nats":32.5,"targets":13,"lossNats":2.5}""", json[3]!.ToJsonString());
        Assert.Contains(RunStatus.Lines(scored), l => l.StartsWith("by source     s9 2.5000, ", StringComparison.Ordinal));
        Assert.DoesNotContain(RunStatus.Lines(View), l => l.StartsWith("by source", StringComparison.Ordinal));
    }

    [Fact]
    public void Nodes_that_rest_are_shown_with_their_reason_and_the_time_that_is_left()
    {
        var view = View with { Resting = [new RestingNode(new("b-8h2m4xyq"), "10.0.0.2:4053", "the disk is full", 29.6)] };
        Assert.Contains("resting       node 10.0.0.2:4053, for another 30s: the disk is full", RunStatus.Lines(view));
        Assert.Equal(
            """[{"node":"b-8h2m4xyq","address":"10.0.0.2:4053","why":"the disk is full","secondsLeft":29.6}]""",
            JsonNode.Parse(RunJson.Write(view))!["resting"]!.ToJsonString());
    }

    [Fact]
    public void Steps_that_were_skipped_are_said_once_with_the_round_and_the_scale()
    {
        var clean = View with { LossScale = 65_536, SkippedSteps = 7, SkippedRound = 5 };
        var skipped = clean with { LossScale = 16_384, SkippedSteps = 9, SkippedInRound = 2 };
        const string Said = "round  6/40  2 steps overflowed in fp16 and were skipped, 9 in all; the loss scale is 16384 now";
        Assert.Equal(Said, RunLines.Skipped(clean, skipped));
        Assert.Equal(Said, RunLines.Skipped(View, skipped));                // another supervisor knew nothing of steps
        Assert.Equal(Said, Assert.Single(RunLines.Log(clean, skipped)));
        Assert.Equal(
            "round  6/40  3 steps overflowed in fp16 and were skipped, 10 in all; the loss scale is 8192 now",
            RunLines.Skipped(skipped, skipped with { LossScale = 8192, SkippedSteps = 10, SkippedInRound = 3 }));
        Assert.Equal(
            "round  7/40  1 step overflowed in fp16 and was skipped, 10 in all; the loss scale is 8192 now",
            RunLines.Skipped(skipped, skipped with { LossScale = 8192, SkippedSteps = 10, SkippedRound = 6, SkippedInRound = 1 }));
        Assert.Null(RunLines.Skipped(View, View));
        Assert.Null(RunLines.Skipped(null, clean));                         // those are of earlier rounds
        Assert.Null(RunLines.Skipped(skipped, skipped with { Round = 6 }));
        Assert.Equal("loss scale 16384, 9 steps skipped", RunLines.Scale(skipped));
        Assert.Equal("", RunLines.Scale(View));

        var output = new StringWriter();
        var display = new PlainDisplay(output, TimeProvider.System);
        foreach (var view in (RunView[])[clean, skipped, skipped])
            display.Show(view);
        Assert.Equal(1, output.ToString().Split(Said).Length - 1);
    }

    [Theory]
    [InlineData(1, 4, 0, 4, null)]
    [InlineData(1, 4, 0, 6, "2 of 6 devices lend their threads to the others: 1 replica of 4 micro-batches a step uses 4; a new run")]
    [InlineData(2, 1, 0, 8, "6 of 8 devices lend their threads to the others: 2 replicas of 1 micro-batch a step use 2; a new run")]
    [InlineData(1, 4, 3, 4, "1 of 4 devices has nothing to do: 1 replica uses 3 by run.devices-per-replica = 3; raise it")]
    public void Devices_without_a_micro_batch_are_said_with_the_remedy(
        int replicas, int microBatches, int perReplica, int devices, string? said)
    {
        var settings = TinySettings.Of("a", replicas);
        settings = settings with
        {
            Run = settings.Run with { DevicesPerReplica = perReplica },
            Batch = settings.Batch with { Sequences = microBatches * settings.Batch.Micro },
        };
        var notice = RunLines.IdleDevices(settings, devices);
        if (said is null)
            Assert.Null(notice);
        else
            Assert.StartsWith(said, notice, StringComparison.Ordinal);
    }

    [Fact]
    public void The_json_has_the_keys_of_the_design_in_their_order() => Assert.Equal(
        ["run", "runId", "phase", "round", "rounds", "steps", "tokens", "samples", "trainLoss", "valLoss", "bitsPerByte", "valSources",
            "valLanguages", "scoredRound", "bestRound", "bestLoss", "tokensPerSecond", "learningRate", "lossScale", "skippedSteps",
            "fingerprint", "segments",
            "checkpoint", "checkpointVersion", "priority", "nodes", "devices", "resting",
            "waitsFor", "endedEarly", "notice", "failure"],
        JsonNode.Parse(RunJson.Write(View))!.AsObject().Select(p => p.Key));

    [Fact]
    public void The_json_is_one_line_and_has_null_where_there_is_no_number()
    {
        var json = RunJson.Write(View with { ValLoss = null, TrainLoss = double.NaN });
        Assert.DoesNotContain('\n', json);
        Assert.Null(JsonNode.Parse(json)!["valLoss"]);
        Assert.Null(JsonNode.Parse(json)!["trainLoss"]);
        Assert.Equal(View.Fingerprint!.Value.Hex, (string?)JsonNode.Parse(json)!["fingerprint"]);
    }

    [Fact]
    public async Task Plain_lines_come_once_a_round_but_not_more_than_one_each_two_seconds()
    {
        var (time, output) = (new HandClock(), new StringWriter());
        await using var display = new PlainDisplay(output, time);
        display.Show(View);                                              // the first
        time.Advance(1);
        display.Show(View with { Round = 6 });                           // too soon
        time.Advance(1);
        display.Show(View with { Round = 7 });                           // a round, two seconds later
        time.Advance(3);
        display.Show(View with { Round = 7, Steps = 141 });              // no round, and not yet ten seconds
        time.Advance(7);
        display.Show(View with { Round = 7, Steps = 142 });              // a sign of life
        display.Show(View with { Round = 40, Phase = RunPhase.Finished });   // the last one always
        Assert.Equal(["round  5", "round  7", "round  7", "round 40"], Lines(output).Select(l => l[..8]));
    }

    [Fact]
    public async Task A_notice_is_written_once_and_at_once()
    {
        var output = new StringWriter();
        await using var display = new PlainDisplay(output, new HandClock());
        var noticed = View with { Notice = "goes on from checkpoint 5" };
        display.Show(noticed);
        display.Show(noticed with { Steps = 101 });
        Assert.Single(Lines(output), "goes on from checkpoint 5");
    }

    [Fact]
    public async Task Corpus_progress_is_not_written_for_every_document()
    {
        var output = new StringWriter();
        await using var display = new PlainDisplay(output, new HandClock());
        display.Corpus(new CorpusProgress(10, 1024, 2048, 900));
        display.Corpus(new CorpusProgress(11, 1025, 2048, 901));
        Assert.Equal(["corpus: 10 documents, 1.0 KiB of 2.0 KiB, 900 tokens"], Lines(output));
    }

    [Fact]
    public async Task The_text_of_a_manifest_is_shown_with_its_pace_and_what_was_dropped()
    {
        var (output, clock) = (new StringWriter(), new HandClock());
        await using var display = new PlainDisplay(output, clock);
        var pace = new BuildPace(clock);
        pace.Add(new BuildProgress(0, 0, 60 << 20) { Phase = "reads" });
        for (var second = 1; second <= 90; second++)
        {
            clock.Advance(1);
            // Thirty seconds of nothing, then a minute of 10 documents and half a MiB each.
            var done = Math.Max(0, second - 30);
            pace.Add(new BuildProgress(10 * done, done << 19, 60 << 20) { Phase = "reads", Dropped = [("c4", done)] });
        }
        display.Text(pace.Sight());
        Assert.Equal(
            ["reads: 600 documents, 30.0 MiB of 60.0 MiB, 10/s, 512.0 KiB/s, 1m 00s left, c4 dropped 60"], Lines(output));
    }

    [Fact]
    public void Tokens_are_shown_with_their_pace_and_the_time_that_the_rest_of_the_text_takes()
    {
        var clock = new HandClock();
        var pace = new BuildPace(clock);
        pace.Add(new BuildProgress(0, 0, 3 << 20) { Phase = "makes tokens" });
        clock.Advance(10);
        pace.Add(new BuildProgress(200, 2 << 20, 3 << 20) { Phase = "makes tokens", Tokens = 400_000 });
        Assert.Equal(
            "makes tokens: 200 documents, 2.0 MiB of 3.0 MiB, 20/s, 204.8 KiB/s, 400k tokens, 40.0k tokens/s, 5s left",
            BuildLines.Of(pace.Sight()));
    }

    [Fact]
    public void A_build_that_lists_its_sources_does_not_say_how_much_of_nothing_it_has() =>
        Assert.Equal("lists its sources", BuildLines.Of(new BuildPace(new HandClock()).Sight()));

    [Theory]
    [InlineData("cpu:99", 0, "99 CPU devices of 1 thread on 2 cores wait for each other: cpu:2 computes the same sooner")]
    [InlineData("cpu:1", 4, "1 CPU device of 4 threads on 2 cores wait for each other: "
        + "fewer threads for each (node.threads-per-device) compute the same sooner")]
    [InlineData("cpu:2", 1, null)]
    [InlineData("none", 0, null)]
    public void More_threads_than_cores_are_told(string devices, int threads, string? notice) => Assert.Equal(
        notice, RunLines.TooManyThreads(NodeSettings.Defaults with { Devices = devices, ThreadsPerDevice = threads }, cores: 2));

    [Fact]
    public void A_sample_of_blank_lines_does_not_fill_the_screen()
    {
        Assert.Equal(["sample", "  | a", "  | b"], RunSummary.Sample(new string('\n', 300) + "a\n \nb\n"));
        Assert.DoesNotContain(
            RunSummary.Finished(View, "/data", new RunFolder("/data/runs/tiny-3k9v2mq7"), isDefaultDataDir: false, writes: false),
            line => line.Contains("elastic generate", StringComparison.Ordinal));
        Assert.Equal(22, RunSummary.Sample(string.Join('\n', Enumerable.Range(0, 100))).Count);
    }

    [Fact]
    public void The_summary_says_everything_and_lets_no_escape_sequence_through()
    {
        var text = string.Join('\n',
            [.. RunSummary.Finished(View, "/data", new RunFolder("/data/runs/tiny-3k9v2mq7"), isDefaultDataDir: false),
                .. RunSummary.Sample("Gets the \e[2Jvalue\nof")]);
        foreach (var part in new[] { "perplexity 9.85", "3.300 bits per byte", View.Fingerprint!.Value.Hex, View.Checkpoint!,
            "/data/runs/tiny-3k9v2mq7/tensorboard", "/data/journal.db", "elastic generate --run tiny",
            "elastic corpus audit --run tiny --data-dir /data", "  | of" })
            Assert.Contains(part, text, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', text);
    }

    [Fact]
    public void TensorBoard_files_that_cannot_be_written_do_not_stop_the_run()
    {
        var notices = new List<string>();
        using var log = new TensorBoardLog(Path.Combine(Path.GetTempFileName(), "below-a-file"), notices.Add);
        log.Write(View);
        Assert.Single(notices);
    }

    [Fact]
    public void TensorBoard_gets_an_event_file()
    {
        var folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
        using var log = new TensorBoardLog(folder, _ => { });
        log.Write(View);
        var before = new FileInfo(Assert.Single(Directory.GetFiles(folder))).Length;
        log.Write(View);                                                 // nothing new
        Assert.Equal(before, new FileInfo(Assert.Single(Directory.GetFiles(folder))).Length);
        log.Write(View with { Steps = 101, TrainLoss = 2.2 });
        Assert.True(new FileInfo(Assert.Single(Directory.GetFiles(folder))).Length > before);
    }

    [Fact]
    public void TensorBoard_is_not_told_a_score_from_before_a_resume_again()
    {
        var folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
        using var log = new TensorBoardLog(folder, _ => { });
        log.Write(View with { LearningRate = null });                    // what the journal knows: no step was taken yet
        log.Write(View with { Steps = 101 });
        Assert.Contains("loss/train", Written(), StringComparison.Ordinal);
        Assert.DoesNotContain("loss/validation", Written(), StringComparison.Ordinal);
        log.Write(View with { Steps = 102, ValLoss = 2.2 });
        Assert.Contains("loss/validation", Written(), StringComparison.Ordinal);

        string Written() => File.ReadAllText(Assert.Single(Directory.GetFiles(folder)), System.Text.Encoding.Latin1);
    }

    [Fact]
    public void TensorBoard_files_that_cannot_be_opened_do_not_stop_the_run()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs a folder in which not even root can create a file");
        var notices = new List<string>();
        using var log = new TensorBoardLog("/proc", notices.Add);
        log.Write(View);
        Assert.Single(notices);
    }

    private static string[] Lines(StringWriter output) => output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private sealed class HandClock : TimeProvider
    {
        private long _seconds = 1000;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => _seconds;

        public void Advance(int seconds) => _seconds += seconds;
    }
}
