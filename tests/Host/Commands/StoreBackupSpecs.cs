namespace Elastic.Host.Tests.Commands;

/// <summary>A run whose checkpoints go to an S3-compatible store loses everything else, and goes on from there; in this process.</summary>
public sealed class StoreBackupSpecs : StoreSpecs
{
    [Fact]
    public async Task A_run_goes_on_from_the_store_to_the_same_weights_where_nothing_else_is_left()
    {
        var undisturbed = await TrainAsync("alone", rounds: 3);
        Store.Objects["kept/other"] = [1];
        await TrainAsync("data", rounds: 2, "--set", $"node.backup-store={Store["kept/runs"]}");
        Assert.Contains("copied to s3://kept/runs: run tiny-", Said, StringComparison.Ordinal);
        Directory.Delete(Path.Combine(Folder, "data"), recursive: true);

        // Whoever forgets to restore does not write over the backup.
        Assert.Equal(ExitCodes.Failed, await Elastic("backup", "--out", Store["kept/runs"], "--data-dir", Path.Combine(Folder, "alone")));
        Assert.Contains("holds the backup of another data directory (run tiny-", Said, StringComparison.Ordinal);

        // Another fetch than the first one finds what that has left.
        Store.Failures.Enqueue(403);
        Assert.Equal(ExitCodes.Failed, await Restore("restored"));
        Assert.Equal(ExitCodes.Done, await Restore("restored"));
        Assert.False(Directory.Exists(Path.Combine(Folder, "restored", "restoring")));
        Assert.Equal(undisturbed, await TrainAsync("restored", rounds: 3, "--set", $"node.backup-store={Store["kept/runs"]}"));
        Assert.EndsWith(
            "/round-000003.json", Assert.Single(Store.Objects.Keys, k => k.Contains("/checkpoints/", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.True(Store.Objects.ContainsKey("kept/other"));

        var blob = Store.Objects.Keys.First(k => k.Contains("/blobs/", StringComparison.Ordinal));
        Store.Objects[blob] = [.. Store.Objects[blob].Select(b => (byte)(b ^ 1))];
        Assert.Equal(ExitCodes.Failed, await Restore("third"));
        Assert.Contains("is not whole", Said, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(Folder, "third", "journal.db")));
    }

    [Theory]
    [InlineData("s3://", "names no bucket: write s3://BUCKET/PREFIX")]
    [InlineData("s3://kept/*", "name the prefix of a backup")]
    public async Task An_address_that_is_none_of_a_backup_is_refused(string address, string why)
    {
        Directory.CreateDirectory(Path.Combine(Folder, "data"));
        Assert.NotEqual(ExitCodes.Done, await Elastic("restore", "--from", address, "--data-dir", Path.Combine(Folder, "new")));
        Assert.NotEqual(ExitCodes.Done, await Elastic("backup", "--out", address, "--data-dir", Path.Combine(Folder, "data")));
        Assert.Equal(2, Said.Split(why).Length - 1);
        Assert.Empty(Store.Asked);
    }

    private Task<string> TrainAsync(string data, int rounds, params string[] more) => TrainAsync(Training(
        data,
        [
            "model.layers=1", "model.heads=2", "model.width=16", "model.context=16", "run.inner-steps=3", "checkpoint.every-rounds=1",
            $"run.rounds={rounds}",
        ],
        more));

    private Task<int> Restore(string data) =>
        Elastic("restore", "--from", Store["kept/runs"], "--data-dir", Path.Combine(Folder, data));
}
