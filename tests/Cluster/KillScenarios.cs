using Elastic.Testing;

namespace Elastic.Cluster.Tests;

public sealed class KillScenarios : IDisposable
{
    private const int Kills = 10;

    // A step takes a millisecond or two: enough of them that ten short lives do not reach the end.
    private const string LongRounds = "run.inner-steps=150";

    private readonly TinyFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task Ten_kills_at_random_moments_and_the_same_command_each_time_end_in_the_same_fingerprint()
    {
        using var undisturbed = _files.Train("undisturbed", settings: LongRounds);
        var expected = (await undisturbed.ResultAsync()).GetProperty("fingerprint").GetString();

        // From "not yet started" to some rounds in.
        var random = new Random(20260);
        var kills = 0;
        for (var attempt = 0; kills < Kills && attempt < 3 * Kills; attempt++)
        {
            using var victim = _files.Train("killed", random.Next(2) == 0 ? "cpu:2" : "cpu:1", settings: LongRounds);
            if (await victim.KillAsync(TimeSpan.FromMilliseconds(random.Next(300, 2500))))
                kills++;
        }

        using var last = _files.Train("killed", "cpu:1", settings: LongRounds);
        var result = await last.ResultAsync();

        Assert.Equal(Kills, kills);
        Assert.Equal(expected, result.GetProperty("fingerprint").GetString());
        Assert.Equal(24, result.GetProperty("rounds").GetInt32());

        using var audit = new ElasticProcess("corpus", "audit", "--run", "tiny", "--data-dir", Path.Combine(_files.Root, "killed"));
        Assert.True(await audit.EndAsync() == 0, audit.Error);
        Assert.Contains("proven", audit.Output, StringComparison.Ordinal);
    }
}
