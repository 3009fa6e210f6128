using System.Globalization;
using System.Text.Json;
using Elastic.Host.Commands;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

/// <summary>A run whose checkpoints go to an S3-compatible store loses everything else, and goes on from there; in this process.</summary>
public sealed class StoreBackupSpecs : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly StringWriter _output = new(), _error = new();
    private SmallObjectStore _store = null!;

    public async ValueTask InitializeAsync() => _store = await SmallObjectStore.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await _output.DisposeAsync();
        await _error.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_run_goes_on_from_the_store_to_the_same_weights_where_nothing_else_is_left()
    {
        File.WriteAllText(Path.Combine(_folder, "a.txt"), string.Join(' ', Enumerable.Range(0, 2000).Select(
            i => (i * 2654435761L % 9973).ToString("x", CultureInfo.InvariantCulture))));
        var undisturbed = await TrainAsync("alone", rounds: 3);
        _store.Objects["kept/other"] = [1];
        await TrainAsync("data", rounds: 2, "--set", $"node.backup-store={_store["kept/runs"]}");
        Assert.Contains("copied to s3://kept/runs: run tiny-", _error.ToString(), StringComparison.Ordinal);
        Directory.Delete(Path.Combine(_folder, "data"), recursive: true);

        // Whoever forgets to restore does not write over the backup.
        Assert.Equal(ExitCodes.Failed, await Elastic("backup", "--out", _store["kept/runs"], "--data-dir", Path.Combine(_folder, "alone")));
        Assert.Contains("holds the backup of another data directory (run tiny-", _error.ToString(), StringComparison.Ordinal);

        // Another fetch than the first one finds what that has left.
        _store.Failures.Enqueue(403);
        Assert.Equal(ExitCodes.Failed, await Restore("restored"));
        Assert.Equal(ExitCodes.Done, await Restore("restored"));
        Assert.False(Directory.Exists(Path.Combine(_folder, "restored", "restoring")));
        Assert.Equal(undisturbed, await TrainAsync("restored", rounds: 3, "--set", $"node.backup-store={_store["kept/runs"]}"));
        Assert.EndsWith(
            "/round-000003.json", Assert.Single(_store.Objects.Keys, k => k.Contains("/checkpoints/", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.True(_store.Objects.ContainsKey("kept/other"));

        var blob = _store.Objects.Keys.First(k => k.Contains("/blobs/", StringComparison.Ordinal));
        _store.Objects[blob] = [.. _store.Objects[blob].Select(b => (byte)(b ^ 1))];
        Assert.Equal(ExitCodes.Failed, await Restore("third"));
        Assert.Contains("is not whole", _error.ToString(), StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_folder, "third", "journal.db")));
    }

    [Theory]
    [InlineData("s3://", "names no bucket: write s3://BUCKET/PREFIX")]
    [InlineData("s3://kept/*", "name the prefix of a backup")]
    public async Task An_address_that_is_none_of_a_backup_is_refused(string address, string why)
    {
        Directory.CreateDirectory(Path.Combine(_folder, "data"));
        Assert.NotEqual(ExitCodes.Done, await Elastic("restore", "--from", address, "--data-dir", Path.Combine(_folder, "new")));
        Assert.NotEqual(ExitCodes.Done, await Elastic("backup", "--out", address, "--data-dir", Path.Combine(_folder, "data")));
        Assert.Equal(2, _error.ToString().Split(why).Length - 1);
        Assert.Empty(_store.Asked);
    }

    // The fingerprint.
    private async Task<string> TrainAsync(string data, int rounds, params string[] more)
    {
        _output.GetStringBuilder().Clear();
        string[] small =
        [
            "model.layers=1", "model.heads=2", "model.width=16", "model.context=16", "batch.sequences=4", "batch.micro=2",
            "run.inner-steps=3", "checkpoint.every-rounds=1", "optimizer.schedule=constant", $"run.rounds={rounds}",
        ];
        Assert.True(ExitCodes.Done == await Elastic(["train", "--json", "--corpus", Path.Combine(_folder, "a.txt"), "--devices", "cpu:1",
            "--data-dir", Path.Combine(_folder, data), .. small.SelectMany(s => new[] { "--set", s }), .. more]), _error.ToString());
        using var result = JsonDocument.Parse(_output.ToString());
        return result.RootElement.GetProperty("fingerprint").GetString()!;
    }

    private Task<int> Restore(string data) =>
        Elastic("restore", "--from", _store["kept/runs"], "--data-dir", Path.Combine(_folder, data));

    private Task<int> Elastic(params string[] words) => ElasticCommandLine.RunAsync(words, _output, _error);
}
