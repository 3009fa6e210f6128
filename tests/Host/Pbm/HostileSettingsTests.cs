using System.Diagnostics;
using Elastic.Host.Configuration;
using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;

namespace Elastic.Host.Tests.Pbm;

// What pbm run start sends is parsed by the seed, which supervises everybody's runs.
public sealed class HostileSettingsTests
{
    // Milliseconds, on a machine with time.
    private static readonly TimeSpan TooLong = TimeSpan.FromMinutes(1);

    /// <summary>Each of these texts ended a process once, by its stack, its memory or its time.</summary>
    public static TheoryData<string> Exhausting => new(
        $"a = {new string('[', 100_000)}",
        string.Concat(Enumerable.Repeat("a { # }\n", 10_000)),
        string.Concat(Enumerable.Repeat("a = [ \"]\", ", 10_000)),
        string.Concat(Enumerable.Repeat("# {\n", 30_000)),
        $"# {new string('{', 120_000)}",
        "run.rounds = ${run.rounds}",
        "run.rounds = ${run.epochs}\nrun.epochs = ${run.rounds}",
        string.Concat(Enumerable.Range(1, 24).Select(i => $"a{i} = ${{a{i - 1}}}${{a{i - 1}}}\n")),
        string.Join('.', Enumerable.Repeat("a", 60_000)) + " = 1",
        new string('.', 120_000) + " = 1",
        new string('a', HoconText.MostCharacters + 1));

    [Theory]
    [MemberData(nameof(Exhausting))]
    public void A_text_that_would_exhaust_the_parser_is_refused_before_it_is_parsed(string text)
    {
        var began = Stopwatch.StartNew();
        Assert.Throws<SettingsException>(() => Load([new CallValue("config", "mine.conf", text)]));
        Assert.Throws<SettingsException>(() => Load([], $"corpus.sources=[{text}"));
        Assert.True(began.Elapsed < TooLong, $"it took {began.Elapsed}");
    }

    /// <summary>The longest texts that are parsed: whatever they hold, a person at another console must not wait for them.</summary>
    public static TheoryData<string> Longest => new(
        string.Concat(Enumerable.Repeat("# }]\n", 26_000)),
        string.Concat(Enumerable.Repeat("a.b.c.d = 1\n", 10_000)),
        "a = " + string.Concat(Enumerable.Repeat("b ", 60_000)),
        "a = \"" + string.Concat(Enumerable.Repeat("\\n", 60_000)) + "\"",
        "a = \"" + new string('x', 120_000) + "\"",
        "a = [" + string.Concat(Enumerable.Repeat("1,", 60_000)) + "]",
        "a = [" + string.Concat(Enumerable.Repeat("1,\n", 40_000)) + "]",
        string.Join('.', Enumerable.Repeat("a", 8_000)) + " = 1",
        string.Concat(Enumerable.Repeat(string.Join('.', Enumerable.Repeat("a", 40)) + "{\n", 190)),
        string.Concat(Enumerable.Repeat("\"=\".a", 8_000)) + " = 1",
        new string(' ', 120_000) + "a = 1",
        new string('\n', 120_000) + "a = 1",
        string.Concat(Enumerable.Repeat("a\n", 60_000)),
        string.Concat(Enumerable.Repeat("+=", 60_000)),
        "a = " + new string('"', 120_000));

    [Theory]
    [MemberData(nameof(Longest))]
    public void The_longest_text_that_is_parsed_takes_no_long_time(string text)
    {
        var began = Stopwatch.StartNew();
        Assert.True(Record.Exception(() => Load([new CallValue("config", "mine.conf", text)])) is null or SettingsException);
        Assert.True(began.Elapsed < TooLong, $"it took {began.Elapsed}");
    }

    [Theory]
    [InlineData("model.layers=50000000", "model.layers")]
    [InlineData("model.width=1048576", "parameters")]
    [InlineData("batch.sequences=2147483647", "batch.sequences")]
    [InlineData("run.rounds=2147483647", "run.rounds")]
    [InlineData("run.inner-steps=2147483647", "run.inner-steps")]
    [InlineData("model.context=16777216", "tokens in one forward pass")]
    public void A_size_that_nothing_could_compute_is_refused_at_once(string set, string problem)
    {
        var began = Stopwatch.StartNew();
        var refusal = Assert.Throws<SettingsException>(() => Load([], "model.layers=10000", "batch.micro=1000", set));
        Assert.Contains(problem, refusal.Message, StringComparison.Ordinal);
        Assert.True(began.Elapsed < TooLong, $"it took {began.Elapsed}");
    }

    private static ElasticSettings Load(IReadOnlyList<CallValue> configs, params string[] sets) =>
        new RequestedRun(configs, [], "a", sets).Load(null);
}
