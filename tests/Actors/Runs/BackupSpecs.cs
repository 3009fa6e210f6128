using Elastic.Actors.Tests.Nodes;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Runs;

public sealed class BackupSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();
    private readonly List<string> _said = [];

    private DataPaths Data => Paths("data");

    // What means something in a connection string is a name like another.
    private DataPaths Copy => Paths("back;up='1");

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task A_backup_of_a_run_at_work_goes_on_elsewhere_to_the_same_weights()
    {
        var settings = TinyRun.Settings("kept", rounds: 6);
        settings = settings with { Checkpoint = settings.Checkpoint with { EveryRounds = 1 } };
        var undisturbed = await _tiny.TrainAsync(settings, "cpu:1", "other");
        // While the run goes on; the last round is not over before it is made.
        var begun = new TaskCompletionSource<Task<BackupManifest>>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _tiny.TrainAsync(settings, "cpu:1", "data", view =>
        {
            if (view.Round >= 2 && !begun.Task.IsCompleted)
                begun.SetResult(Task.Run(() => Backup()));
            return false;
        }, hold: (round, _) => round < 5 ? Task.CompletedTask : begun.Task.Unwrap());
        var made = await await begun.Task;
        Assert.Empty(_said);
        var run = Assert.Single(made.Runs);
        Assert.True(run is { Checkpoint: >= 1, Corpus: not null, Round: <= 5 } && run.Round >= run.Checkpoint, $"{run}");
        Directory.Delete(Data.Root, recursive: true);

        await Restore();
        Assert.False(File.Exists(Path.Combine(Paths("restored").Root, "node-id")));
        var view = await _tiny.TrainAsync(settings, "cpu:1", "restored");
        Assert.Equal((undisturbed.Fingerprint, undisturbed.ValLoss), (view.Fingerprint, view.ValLoss));

        var again = await Assert.ThrowsAsync<ElasticException>(() => Restore());
        Assert.Contains("has a journal or runs already", again.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_backup_copies_what_is_new_and_keeps_one_checkpoint_and_damage_restores_nothing()
    {
        var settings = TinyRun.Settings("kept", rounds: 2);
        await _tiny.TrainAsync(settings, "cpu:1", "data");
        var first = new RunId(Assert.Single((await Backup()).Runs).Run);
        var corpus = Directory.EnumerateFiles(Copy.Corpora, "*.tokens", SearchOption.AllDirectories).First();
        var copied = File.GetLastWriteTimeUtc(corpus);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Backup(new CancellationToken(canceled: true)));
        Assert.Single(BackupManifest.Read(Copy.Root).Runs);             // the earlier one is there still
        await _tiny.TrainAsync(settings with { Run = settings.Run with { Rounds = 4 } }, "cpu:1", "data");
        // What rotted here takes the place of nothing there.
        var data = new BlobStore(Data.Blobs(first), readOnly: true);
        var newest = CheckpointFiles.Read(Data.Checkpoints(first)).First().Manifest!;
        var chunk = data.PathOf(data.BlobsOf(new Digest(newest.Parameters)).First());
        var whole = await File.ReadAllBytesAsync(chunk);
        await File.WriteAllBytesAsync(chunk, [.. whole[..^1], (byte)(whole[^1] ^ 1)]);
        Assert.Equal(2, Assert.Single((await Backup()).Runs).Checkpoint);
        await File.WriteAllBytesAsync(chunk, whole);

        var run = new RunId(Assert.Single((await Backup()).Runs).Run);
        Assert.Equal(copied, File.GetLastWriteTimeUtc(corpus));
        Assert.EndsWith("round-000004.json", Assert.Single(CheckpointFiles.In(Copy.Checkpoints(run))), StringComparison.Ordinal);

        var blob = Directory.EnumerateFiles(Copy.Blobs(run), "*", SearchOption.AllDirectories).First();
        var bytes = await File.ReadAllBytesAsync(blob);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(blob, bytes);
        var damaged = await Assert.ThrowsAsync<ElasticException>(() => Restore());
        Assert.Contains($"the checkpoint of run {run} after round 4 is not whole", damaged.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Paths("restored").Root));

        // What is damaged here may be whole there, and is the last one.
        await File.WriteAllTextAsync(CheckpointFiles.In(Data.Checkpoints(run))[0], "{");
        var stepBack = await Assert.ThrowsAsync<ElasticException>(() => Backup());
        Assert.Contains(
            $"{Copy.Root} holds the checkpoint of run {run} after round 4, which is damaged or missing in {Data.Root}, where the newest "
            + "whole one is of round 2", stepBack.Message, StringComparison.Ordinal);
        Assert.Contains(_said, line => line.StartsWith("passed over: ", StringComparison.Ordinal)
            && line.Contains("round-000004.json is no checkpoint manifest", StringComparison.Ordinal));
        Assert.EndsWith("round-000004.json", CheckpointFiles.In(Copy.Checkpoints(run))[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_backup_is_told()
    {
        Directory.CreateDirectory(Copy.Root);
        var none = await Assert.ThrowsAsync<ElasticException>(() => Restore());
        Assert.StartsWith($"{Copy.Root} is no backup, or one that was not made to its end", none.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_the_journal_went_back_the_backup_holds_the_older_checkpoint_it_names_and_it_is_restored()
    {
        var settings = TinyRun.Settings("kept", rounds: 2);
        await _tiny.TrainAsync(settings, "cpu:1", "data");
        var run = new RunId(Assert.Single((await Backup()).Runs).Run);
        var journal = await File.ReadAllBytesAsync(Copy.Journal);
        await _tiny.TrainAsync(settings with { Run = settings.Run with { Rounds = 4 } }, "cpu:1", "data");
        Assert.Equal(4, Assert.Single((await Backup()).Runs).Checkpoint);

        foreach (var ofJournal in Directory.EnumerateFiles(Data.Root, "journal.db*"))
            File.Delete(ofJournal);
        await File.WriteAllBytesAsync(Data.Journal, journal);
        Assert.Equal(2, Assert.Single((await Backup()).Runs).Checkpoint);
        Assert.EndsWith("round-000002.json", Assert.Single(CheckpointFiles.In(Copy.Checkpoints(run))), StringComparison.Ordinal);
        Assert.Equal(2, Assert.Single((await Restore()).Runs).Checkpoint);
    }

    [Fact]
    public async Task A_damaged_corpus_is_neither_copied_nor_restored_and_the_run_is()
    {
        var settings = TinyRun.Settings("kept", rounds: 2);
        await _tiny.TrainAsync(settings, "cpu:1", "data");
        var shard = Directory.EnumerateFiles(Data.Corpora, "*.tokens", SearchOption.AllDirectories).First();
        Flip(shard);
        Assert.Null(Assert.Single((await Backup()).Runs).Corpus);
        Assert.Contains(_said, line => line.StartsWith($"passed over: {shard} has SHA-256 ", StringComparison.Ordinal));
        Assert.False(Directory.Exists(Copy.Corpora));

        Flip(shard);
        var corpus = Assert.Single((await Backup()).Runs).Corpus!;
        var manifest = Path.Combine(Data.Corpus(new Digest(corpus)), "corpus.json");
        var described = await File.ReadAllBytesAsync(manifest);
        await File.WriteAllTextAsync(manifest, "{");
        // What cannot be read ends no backup, and the copy that an earlier one made counts.
        Assert.Equal(corpus, Assert.Single((await Backup()).Runs).Corpus);
        await File.WriteAllBytesAsync(manifest, described);
        Assert.Equal(corpus, Assert.Single((await Backup()).Runs).Corpus);

        Flip(Path.Combine(Copy.Corpus(new Digest(corpus)), Path.GetFileName(shard)));
        _said.Clear();
        Assert.Null(Assert.Single((await Restore()).Runs).Corpus);
        Assert.StartsWith($"the corpus {corpus[..12]} is left out (", Assert.Single(_said), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Paths("restored").Corpora));
        Assert.True(File.Exists(Paths("restored").Journal));
    }

    [Fact]
    public async Task A_corpus_that_is_gone_here_is_restored_from_the_copy_that_an_earlier_backup_made()
    {
        await _tiny.TrainAsync(TinyRun.Settings("kept", rounds: 2), "cpu:1", "data");
        var corpus = Assert.Single((await Backup()).Runs).Corpus!;
        Directory.Delete(Data.Corpora, recursive: true);
        for (var again = 0; again < 2; again++)
            Assert.Equal(corpus, Assert.Single((await Backup()).Runs).Corpus);
        Assert.Contains($"the corpus {corpus[..12]} is not whole in {Data.Root}: {Copy.Root} keeps the copy of an earlier backup", _said);
        Assert.Equal(corpus, Assert.Single((await Restore()).Runs).Corpus);
        Assert.NotEmpty(Directory.GetFiles(Paths("restored").Corpus(new Digest(corpus)), "*.tokens"));

        Directory.Delete(Copy.Corpora, recursive: true);                // then there is nothing to keep
        Assert.Null(Assert.Single((await Backup()).Runs).Corpus);
    }

    [Fact]
    public async Task A_disk_that_does_not_read_a_shard_or_the_list_of_a_checkpoint_s_blobs_ends_no_backup()
    {
        var settings = TinyRun.Settings("kept", rounds: 2);
        await _tiny.TrainAsync(settings with { Checkpoint = settings.Checkpoint with { EveryRounds = 1 } }, "cpu:1", "data");
        var run = new RunId(Path.GetFileName(Assert.Single(Directory.GetDirectories(Data.Runs))));
        MakeUnreadable(Directory.EnumerateFiles(Data.Corpora, "*.tokens", SearchOption.AllDirectories).First());
        Assert.Equal((2, null), Assert.Single((await Backup()).Runs) is var first ? (first.Checkpoint, first.Corpus) : default);
        Assert.Contains(_said, line => line.StartsWith("passed over: the corpus ", StringComparison.Ordinal));

        Directory.Delete(Copy.Root, recursive: true);
        MakeUnreadable(new BlobStore(Data.Blobs(run), readOnly: true)
            .PathOf(new Digest(CheckpointFiles.Read(Data.Checkpoints(run)).First().Manifest!.Parameters)));
        Assert.Equal(1, Assert.Single((await Backup()).Runs).Checkpoint);
    }

    // Reading the start of that file fails with EIO, as on a bad sector.
    private static void MakeUnreadable(string path)
    {
        File.Delete(path);
        File.CreateSymbolicLink(path, "/proc/self/mem");
    }

    [Fact]
    public async Task An_interrupted_restore_goes_on_with_the_same_backup_and_with_no_other_one()
    {
        var settings = TinyRun.Settings("kept", rounds: 2);
        await _tiny.TrainAsync(settings, "cpu:1", "data");
        await Backup();
        var (restored, manifest) = (Paths("restored"), Path.Combine(Copy.Root, BackupManifest.FileName));
        Directory.CreateDirectory(restored.Journal);                    // in the way of the journal, which comes last
        await Assert.ThrowsAnyAsync<Exception>(Restore);
        Assert.NotEmpty(Directory.EnumerateFiles(restored.Runs, "*", SearchOption.AllDirectories));
        Directory.Delete(restored.Journal);

        var whole = await File.ReadAllBytesAsync(manifest);
        await File.WriteAllBytesAsync(manifest, (BackupManifest.Read(Copy.Root) with { Node = "another" }).ToBytes());
        var other = await Assert.ThrowsAsync<ElasticException>(Restore);
        Assert.Contains($"has a part of another backup, whose restore was interrupted: delete {restored.Runs} and ", other.Message,
            StringComparison.Ordinal);
        await File.WriteAllBytesAsync(manifest, whole);
        Assert.Single((await Restore()).Runs);
        Assert.Equal(["corpora", "journal.db", "runs"], Directory.GetFileSystemEntries(restored.Root).Select(Path.GetFileName).Order());

        File.Delete(restored.Journal);                                  // nothing says that these runs are of an interrupted one
        var again = await Assert.ThrowsAsync<ElasticException>(Restore);
        Assert.Contains("has a journal or runs already", again.Message, StringComparison.Ordinal);
    }

    private Task<BackupManifest> Restore() => new DataRestore(Copy, Paths("restored"), _said.Add).RunAsync(default);

    private static void Flip(string path)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    private Task<BackupManifest> Backup(CancellationToken cancel = default) =>
        new DataBackup(Data, DatabaseAddress.Parse(null, Data.Root), new BackupFolder(Copy), _said.Add).RunAsync(cancel);

    private DataPaths Paths(string data) => new(Path.Combine(_tiny.Root, data));
}
