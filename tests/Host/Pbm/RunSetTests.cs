using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Testing;
using static Elastic.Host.Tests.Pbm.PaletteCalls;

namespace Elastic.Host.Tests.Pbm;

/// <summary><c>pbm run set</c>, on a cluster of the test's making: what it asks for and what it says.</summary>
public sealed class RunSetTests
{

    private readonly FakeCluster _cluster = new()
    {
        Remembered = new RememberedRun(FakeCluster.Tiny.RunId, TinySettings.Of("tiny"), Digest.Of([1]))
        {
            Newest = TinySettings.Of("tiny", replicas: 3),
        },
        Notice = "from round 7 on (sample 96, step 6 of each replica):\n  run.replicas: 3 -> 4",
    };

    [Fact]
    public async Task Without_yes_it_only_tells_what_would_change()
    {
        Assert.Equal(
            [.. _cluster.Notice!.Split('\n'), "nothing is changed yet: the same command with --yes changes it"],
            await Lines(("key", "run.replicas"), ("value", "4")));
        Assert.Equal(
            new RunRequest.Set(FakeCluster.Tiny.Name, Asker, """{"run.replicas":4}""", null, OnlyTells: true), _cluster.Request);
    }

    [Fact]
    public async Task With_yes_it_asks_for_what_differs_from_the_newest_settings_from_the_round_on()
    {
        Assert.Equal(
            [.. _cluster.Notice!.Split('\n'), "run tiny is set; all its segments: pbm run status -n tiny"],
            await Lines(("key", "run.replicas"), ("value", "3"), ("key", "corpus.mixture"), ("value", "[books=2, web=0.5]"),
                ("key", "run.epochs"), ("value", "2"), ("round", "9"), ("yes", "")));
        Assert.Equal(
            ("""{"run.rounds":null,"run.epochs":2,"corpus.mixture":["books=2","web=0.5"]}""", 9, false),
            (_cluster.Request!.Settings, _cluster.Request.FromRound, _cluster.Request.OnlyTells));
    }

    [Fact]
    public async Task That_a_finished_run_goes_on_is_said_before_and_when_it_does()
    {
        (_cluster.Runs, _cluster.IsFinished) = ([FakeCluster.Tiny with { Phase = RunPhase.Finished }], true);
        Assert.Equal(
            "nothing is changed yet: the same command with --yes changes it, and the finished run goes on",
            (await Lines(("key", "run.rounds"), ("value", "12")))[^1]);
        _cluster.IsFinished = false;
        Assert.Equal(
            "run tiny is set, and goes on now; all its segments: pbm run status -n tiny",
            (await Lines(("key", "run.rounds"), ("value", "12"), ("yes", "")))[^1]);
    }

    [Fact]
    public async Task What_is_so_already_is_not_asked_for()
    {
        Assert.Equal(
            ["nothing changes: run tiny has these settings"], await Lines(("key", "run.replicas"), ("value", "3"), ("yes", "")));
        Assert.Null(_cluster.Request);
    }

    [Theory]
    [InlineData("run.replicas", "0", "run.replicas = 0: use 1 to")]
    [InlineData("optimizer.minimum-learning-rate", "1", "optimizer.minimum-learning-rate = 1: use 0 to optimizer.learning-rate (0.003)")]
    [InlineData("run.replica", "2", "unknown key run.replica (-k): did you mean run.replicas?")]
    [InlineData("node.devices", "cpu:1", "node.devices (-k): it belongs to a node, not to a run")]
    public async Task Values_are_checked_as_at_the_start(string key, string value, string why) => Assert.StartsWith(
        why, (await Assert.ThrowsAsync<SettingsException>(() => Lines(("key", key), ("value", value)))).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_learning_rate_that_is_wrong_is_the_only_thing_that_is_said() => Assert.Equal(
        "optimizer.learning-rate = -1: use a number above 0 (-k)",
        (await Assert.ThrowsAsync<SettingsException>(() => Lines(("key", "optimizer.learning-rate"), ("value", "-1")))).Message);

    [Fact]
    public async Task Refusals_and_pairs_that_do_not_match_are_said()
    {
        _cluster.Refusal = "run tiny keeps its settings: run.seed decides the order of all samples";
        Assert.Equal(_cluster.Refusal, (await Assert.ThrowsAsync<ElasticException>(
            () => Lines(("key", "run.seed"), ("value", "7"), ("yes", "")))).Message);
        Assert.StartsWith("2 times -k and 1 times -v: ", (await Assert.ThrowsAsync<SettingsException>(
            () => Lines(("key", "run.replicas"), ("key", "run.rounds"), ("value", "7")))).Message, StringComparison.Ordinal);
        Assert.StartsWith("--round next: ", (await Assert.ThrowsAsync<SettingsException>(
            () => Lines(("key", "run.replicas"), ("value", "7"), ("round", "next")))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Segments_are_shown_with_the_status_and_with_the_reasons()
    {
        _cluster.Runs =
        [
            FakeCluster.Tiny with { Segments = [new(7, 96, 6, ["run.replicas: 3 -> 4", "run.rounds: 4 -> 6"])] },
        ];
        const string said = "from round 7 on (sample 96, step 6): run.replicas: 3 -> 4; run.rounds: 4 -> 6";
        Assert.Contains(
            await LinesOf("status"),
            l => l.StartsWith("segment ", StringComparison.Ordinal) && l.EndsWith(said, StringComparison.Ordinal));
        Assert.Contains(await LinesOf("why"), l => l.EndsWith(said, StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_of_changes_is_read_line_by_line_and_each_mistake_names_its_line()
    {
        var start = TinySettings.Of("tiny");
        Assert.Equal(
            [
                new SettingsChange(2, """{"run.replicas":2,"optimizer.learning-rate":0.001}"""),
                new SettingsChange(5, """{"run.rounds":9}"""),
            ],
            ChangesFile.Parse("c.txt", """
                # the second half
                2 optimizer.learning-rate=0.001
                2 run.replicas = 2

                5 run.rounds=9
                5 run.replicas=2
                """, start));
        Wrong("x run.rounds=9", "c.txt, line 1: write ROUND KEY=VALUE, e.g. 30 optimizer.learning-rate=5e-4");
        Wrong("\n3", "c.txt, line 2: write ROUND KEY=VALUE");
        Wrong("0 run.rounds=9", "c.txt, line 1: round 0 is the run's first one");
        Wrong("3 run.rounds=9\n2 run.replicas=2", "c.txt, line 2: round 2 comes after round 3");
        Wrong("3 run.replicas=0", "c.txt, line 1: run.replicas = 0: use 1 to");
        Assert.StartsWith("--changes /no/such/file cannot be read", Assert.Throws<SettingsException>(
            () => ChangesFile.Read("/no/such/file", start)).Message, StringComparison.Ordinal);

        void Wrong(string text, string why) => Assert.StartsWith(
            why, Assert.Throws<SettingsException>(() => ChangesFile.Parse("c.txt", text, start)).Message, StringComparison.Ordinal);
    }

    private Task<List<string>> Lines(params (string Argument, string Value)[] values) => LinesOf("set", values);

    private Task<List<string>> LinesOf(string name, params (string Argument, string Value)[] values) =>
        _cluster.Command($"run {name}").TextsAsync(values);
}
