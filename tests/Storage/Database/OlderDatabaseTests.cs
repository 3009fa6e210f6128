using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

public sealed class OlderDatabaseTests : IAsyncLifetime
{
    private readonly string _root = Directory.CreateTempSubdirectory("elastic-").FullName;
    private static readonly TrainingSettings Settings = TinySettings.Of("a");
    private readonly RunId _run = RunSamples.Id;
    private DatabaseAddress _database = null!;

    private static readonly Digest Some = Digest.Of([1]);

    private DataPaths Paths => new(_root);

    public async ValueTask InitializeAsync()
    {
        _database = DatabaseAddress.Parse(null, _root);
        await _database.PrepareAsync(Assert.Fail, default);
    }

    public ValueTask DisposeAsync()
    {
        _database.Reopen();
        Directory.Delete(_root, true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_folder_of_a_run_that_the_database_does_not_know_is_told_with_what_to_do()
    {
        Assert.Empty(await SignsAsync());
        Directory.CreateDirectory(Paths.Blobs(_run));
        var sign = Assert.Single(await SignsAsync());
        Assert.Contains($"knows nothing of {_run}, whose folders are in {Paths.Runs}", sign, StringComparison.Ordinal);
        Assert.Contains("journal.db-wal was lost. Stop this process and put the right one back", sign, StringComparison.Ordinal);

        await WriteAsync(rounds: 0);
        Assert.Empty(await SignsAsync());
    }

    [Fact]
    public async Task A_checkpoint_of_a_round_that_the_database_does_not_know_is_told_with_what_is_lost()
    {
        await WriteAsync(rounds: 4);
        Checkpoint(3);
        Checkpoint(4);
        Assert.Empty(await SignsAsync());
        Checkpoint(6);
        var sign = Assert.Single(await SignsAsync());
        Assert.Contains("round-000006.json is of round 6, and ", sign, StringComparison.Ordinal);
        Assert.Contains($"knows 4 rounds of run {_run}", sign, StringComparison.Ordinal);
        Assert.Contains("computed again, to the same weights", sign, StringComparison.Ordinal);

        // A manifest that is damaged says nothing of the database.
        File.WriteAllText(Path.Combine(Paths.Checkpoints(_run), "round-000006.json"), "{");
        Assert.Empty(await SignsAsync());

        // It hides no other one.
        Checkpoint(5);
        Assert.Contains("round-000005.json is of round 5, and ", Assert.Single(await SignsAsync()), StringComparison.Ordinal);
    }

    private Task<IReadOnlyList<string>> SignsAsync() => OlderDatabase.SignsAsync(_database, Paths, default);

    private Task WriteAsync(int rounds) => JournalTable.WriteAsync(_database, _run,
    [
        new RunEvent.CorpusPublished(_run, Some),
        .. Enumerable.Range(0, rounds).Select(r => new RunEvent.RoundCommitted(_run, r, Some, Some, 0, Some)),
    ]);

    private void Checkpoint(int version)
    {
        Directory.CreateDirectory(Paths.Checkpoints(_run));
        File.WriteAllBytes(Path.Combine(Paths.Checkpoints(_run), $"round-{version:D6}.json"), new CheckpointManifest(
            1, _run.Value, version, Settings.Model.Signature, SettingsText.Write(Settings), Some.Hex, "byte", Some.Hex, Some.Hex,
            [Some.Hex], 0, Some.Hex, CheckpointManifest.BlobFolder).ToBytes());
    }
}
