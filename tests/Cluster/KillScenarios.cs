using System.Diagnostics;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class KillScenarios : IDisposable
{
    private const int Rounds = 12;

    // A step takes a millisecond or two: enough of them that four short lives do not reach the end.
    private static readonly string[] LongRounds = ["run.inner-steps=150", $"run.rounds={Rounds}"];

    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);

    private readonly TinyFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task Four_kills_at_random_moments_and_the_same_command_each_time_end_in_the_same_fingerprint()
    {
        using var undisturbed = Here.Run(_files.Train("undisturbed", settings: LongRounds));
        var expected = (await undisturbed.ResultAsync()).GetProperty("fingerprint").GetString();

        // Before it has begun or when it just has; then surely when it has; then some rounds in: at any moment of a round.
        var random = new Random(20260);
        foreach (var least in (int?[])[null, 0, 2, 4])
        {
            using var victim = new ElasticProcess(_files.Train("killed", random.Next(2) == 0 ? "cpu:2" : "cpu:1", settings: LongRounds));
            if (least is { } round)
                await IsInRoundAsync(victim, round, Rounds);
            var after = least is null ? random.Next(300, 1200) : random.Next(200);
            Assert.True(await victim.KillAsync(TimeSpan.FromMilliseconds(after)), victim.Said);
        }

        using var last = Here.Run(_files.Train("killed", "cpu:1", settings: LongRounds));
        var result = await last.ResultAsync();

        Assert.Equal(expected, result.GetProperty("fingerprint").GetString());
        Assert.Equal(Rounds, result.GetProperty("rounds").GetInt32());
        await AuditAsync();
    }

    [Theory]
    [InlineData("bert")]
    [InlineData("transformer", "corpus.samples=pairs", "corpus.answer-field=answer")]
    public async Task So_do_two_kills_of_an_encoder_and_of_an_encoder_decoder(string architecture, params string[] more)
    {
        string[] settings = [$"model.architecture={architecture}", "run.inner-steps=100", "run.rounds=8", .. more];
        if (more.Length > 0)
            _files.WritePairs();
        using var undisturbed = Here.Run(_files.Train("undisturbed", "cpu:3", settings: settings));
        var expected = (await undisturbed.ResultAsync()).GetProperty("fingerprint").GetString();

        // When it has begun, and again after a round.
        foreach (var (least, devices) in ((int, string)[])[(0, "cpu:2"), (1, "cpu:1")])
        {
            using var victim = new ElasticProcess(_files.Train("killed", devices, settings: settings));
            await IsInRoundAsync(victim, least, 8);
            Assert.False(victim.HasEnded);
            await victim.KillAsync();
        }

        using var last = Here.Run(_files.Train("killed", "cpu:3", settings: settings));
        Assert.Equal(expected, (await last.ResultAsync()).GetProperty("fingerprint").GetString());
        await AuditAsync();
    }

    // In that one or a later one: quick rounds share a line.
    private static async Task IsInRoundAsync(ElasticProcess process, int least, int rounds)
    {
        bool IsThere() => Enumerable.Range(least, rounds - least).Any(
            r => process.Error.Contains($"round {r}/{rounds}", StringComparison.Ordinal));
        for (var waited = Stopwatch.StartNew(); !IsThere();)
        {
            Assert.True(waited.Elapsed < Deadline && !process.HasEnded, process.Said);
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    private Task AuditAsync() => Here.AuditAsync("tiny", "--data-dir", Path.Combine(_files.Root, "killed"));
}
