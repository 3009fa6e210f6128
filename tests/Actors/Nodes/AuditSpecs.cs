using Elastic.Actors.Corpora;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;
using Elastic.Transfer;
using Microsoft.Data.Sqlite;

namespace Elastic.Actors.Tests.Nodes;

public sealed class AuditSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task A_run_of_several_epochs_consumed_every_block_exactly_once_in_each()
    {
        var settings = TinyRun.Settings("a", replicas: 4);
        await _tiny.TrainAsync(
            settings with { Run = settings.Run with { Rounds = null, Epochs = 2 }, Corpus = settings.Corpus with { HeldOut = 0.5 } },
            "cpu:2");

        var report = await AuditAsync();

        Assert.Empty(report.Problems);
        Assert.Equal(2, report.Epochs.Count);
        Assert.All(report.Epochs, e => Assert.Equal(e.Blocks, e.Consumed));
        Assert.Equal(2 * report.Epochs[0].Blocks, report.Samples);
    }

    // Its last round was a shorter one; the rounds behind it are whole, and begin with the sample that it ended before.
    [Fact]
    public async Task A_run_of_epochs_that_was_made_longer_after_its_end_consumed_every_block_once_in_each()
    {
        var settings = TinyRun.Settings("a", replicas: 2);
        settings = settings with
        {
            Batch = settings.Batch with { Sequences = 64, Micro = 16 },
            Corpus = settings.Corpus with { HeldOut = 0.5 },
        };
        foreach (var epochs in new[] { 1, 2 })
            await _tiny.TrainAsync(settings with { Run = settings.Run with { Rounds = null, Epochs = epochs } }, "cpu:2");

        var report = await AuditAsync();

        Assert.Empty(report.Problems);
        Assert.Equal(2, report.Epochs.Count);
        Assert.All(report.Epochs, e => Assert.Equal(e.Blocks, e.Consumed));
        Assert.NotEqual(0, report.Epochs[0].Blocks % (2 * 3 * 64));
    }

    [Fact]
    public async Task What_was_lost_of_the_corpus_is_fetched_from_a_node_that_has_it_and_the_audit_is_done()
    {
        await _tiny.TrainAsync(TinyRun.Settings("a"), "cpu:1");
        var paths = new DataPaths(Path.Combine(_tiny.Root, "data"));
        var (id, manifest) = await JournalAudit.CorpusOfAsync(paths.Root, null, new RunName("a"), default);
        var elsewhere = Path.Combine(_tiny.Root, "elsewhere");
        Directory.Move(paths.Corpus(id), elsewhere);
        var locations = new BlobLocations();
        locations.Add(BuiltCorpus.Open(elsewhere));
        await using var server = await DataServer.StartAsync(
            "127.0.0.1", 0, locations, new LivenessConnections(), Transport.Plain, default);

        // All of it.
        Assert.Contains("--from HOST:PORT", (await Assert.ThrowsAsync<ElasticException>(AuditAsync)).Message, StringComparison.Ordinal);
        Assert.NotEmpty(await RepairAsync());
        Assert.Empty((await AuditAsync()).Problems);
        Assert.Empty(await RepairAsync());

        // Some bytes of a shard.
        var shard = Directory.EnumerateFiles(paths.FetchedCorpus(id)).First(f => f.Contains("train", StringComparison.Ordinal));
        var bytes = File.ReadAllBytes(shard);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(shard, bytes);
        Assert.Contains("--from HOST:PORT", (await Assert.ThrowsAsync<ElasticException>(AuditAsync)).Message, StringComparison.Ordinal);
        Assert.Equal([shard], await RepairAsync());
        Assert.Empty((await AuditAsync()).Problems);

        Task<IReadOnlyList<string>> RepairAsync() =>
            CorpusRepair.RunAsync(paths, id, manifest, [server.Endpoint], Transport.Plain, default);
    }

    [Theory]
    [InlineData("DELETE FROM journal WHERE sequence_number = (SELECT MAX(sequence_number) - 4 FROM journal)", "gap")]
    [InlineData("DELETE FROM journal WHERE sequence_number > (SELECT MAX(sequence_number) / 2 FROM journal)", "the journal ends at round")]
    public async Task A_journal_with_missing_events_fails_the_audit(string tampering, string complaint)
    {
        await _tiny.TrainAsync(TinyRun.Settings("a"), "cpu:1");
        Execute(tampering);

        Assert.Contains(await ComplaintsAsync(), p => p.Contains(complaint, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_result_with_one_changed_digit_fails_the_audit_whatever_digest_it_is_in()
    {
        await _tiny.TrainAsync(TinyRun.Settings("a", replicas: 2), "cpu:1");
        Assert.Empty(await ComplaintsAsync());

        var rows = ReplicaEvents();
        Assert.Equal(8, rows.Count);
        foreach (var (i, (row, payload)) in rows.Index())
        {
            var result = ResultOf(payload);
            var digest = new[] { result.Samples, result.Contribution, result.InnerState }[i % 3].Hex;
            var place = payload.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(digest));
            var changed = (byte[])payload.Clone();
            changed[place + 7] = (byte)(changed[place + 7] == '0' ? '1' : '0');
            Write(row, changed);
            Assert.NotEmpty(await ComplaintsAsync());
            Write(row, payload);
        }

        Assert.Empty(await ComplaintsAsync());
    }

    [Fact]
    public async Task A_checkpoint_that_is_not_the_journals_or_has_a_damaged_blob_fails_the_audit_and_is_named()
    {
        await _tiny.TrainAsync(TinyRun.Settings("a", replicas: 2), "cpu:1");
        var path = CheckpointFiles.In(Path.Combine(_tiny.RunFolder("data", "a"), "checkpoints"))[0];
        var right = CheckpointManifest.Read(path);
        var (other, settings) = (Digest.Of("other"u8).Hex, right.ReadSettings());
        foreach (var (wrong, what) in new[]
        {
            (right with { Fingerprint = other }, "another fingerprint"), (right with { Parameters = other }, "other parameters"),
            (right with { InnerStates = [other] }, "other moments"), (right with { TokensSeen = 1 }, "another number of tokens"),
            (right with { Corpus = other }, "another corpus"),
            (right with { Settings = SettingsText.Write(settings with { Optimizer = settings.Optimizer with { Clip = 7 } }) },
                "other settings (optimizer.clip: "),
        })
        {
            File.WriteAllBytes(path, wrong.ToBytes());
            Assert.StartsWith($"{path} has {what}", Assert.Single(await ComplaintsAsync()), StringComparison.Ordinal);
        }

        Assert.Contains("one of them is damaged", Assert.Throws<ElasticException>(() => CheckpointReader.LoadParameters(
            path, right with { Fingerprint = other }, settings.Model)).Message, StringComparison.Ordinal);
        File.WriteAllBytes(path, right.ToBytes());
        var blobs = new BlobStore(Path.Combine(_tiny.RunFolder("data", "a"), "blobs"), readOnly: true);
        var chunk = blobs.PathOf(blobs.BlobsOf(new Digest(right.InnerStates[1])).First());
        var bytes = File.ReadAllBytes(chunk);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(chunk, bytes);
        Assert.Contains(Path.GetFileName(chunk), Assert.Single(await ComplaintsAsync()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("round-committed")]
    [InlineData("checkpoint-taken")]
    [InlineData("run-finished")]
    public async Task A_journal_that_names_another_fingerprint_of_the_last_version_fails_the_audit(string manifest)
    {
        await _tiny.TrainAsync(TinyRun.Settings("a"), "cpu:1");
        var fingerprint = CheckpointManifest.Read(
            CheckpointFiles.In(Path.Combine(_tiny.RunFolder("data", "a"), "checkpoints"))[0]).Fingerprint;
        Execute("UPDATE journal SET message = CAST(REPLACE(CAST(message AS TEXT), "
            + $"'{fingerprint}', '{Digest.Of("other"u8).Hex}') AS BLOB) WHERE manifest = '{manifest}'");

        Assert.Contains(await ComplaintsAsync(), p => p.Contains("another fingerprint", StringComparison.Ordinal)
            || p.Contains("the journal's checkpoint of round 4", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_run_without_a_committed_round_is_not_proven()
    {
        await _tiny.TrainAsync(TinyRun.Settings("a"), "cpu:1");
        Execute("DELETE FROM journal WHERE manifest NOT IN ('run-started', 'corpus-published')");
        Directory.Delete(Path.Combine(_tiny.RunFolder("data", "a"), "checkpoints"), recursive: true);
        Assert.Equal((0, false, 0), await AuditAsync() is var report ? (report.Rounds, report.IsProven, report.Problems.Count) : default);
    }

    [Fact]
    public async Task The_audit_runs_beside_the_seed_whose_journal_it_reads_and_changes_nothing()
    {
        using var deadline = new CancellationTokenSource(TinyRun.Patience);
        await using var node = await _tiny.StartAsync("cpu:1", "data", deadline.Token);
        await _tiny.TrainAsync(node, TinyRun.Settings("a"), null, deadline.Token);
        var events = _tiny.CountEvents("data");

        Assert.Equal((4, true), await AuditAsync() is var report ? (report.Rounds, report.IsProven) : default);
        Assert.Equal(events, _tiny.CountEvents("data"));
    }

    [Fact]
    public async Task A_round_that_comes_to_another_version_after_a_roll_back_fails_the_audit()
    {
        await _tiny.TrainAsync(TinyRun.Settings("a"), "cpu:1");
        var paths = new DataPaths(Path.Combine(_tiny.Root, "data"));
        var address = DatabaseAddress.Parse(null, paths.Root);
        var id = (await new RunList(address).ReadAsync(default)).Single().Run;
        var events = await JournalReader.ReadAsync(address, id, default);
        var committed = events.OfType<RunEvent.RoundCommitted>().First();
        var round = events.SkipWhile(e => e is not RunEvent.RunInitialized).TakeWhile(e => e != committed).ToList();
        RunEvent[] again =
            [.. events.TakeWhile(e => e != committed), committed, new RunEvent.RolledBack(id, null, "it was damaged"), .. round];
        IReadOnlyList<string> Complaints(Digest version)
        {
            var results = round.OfType<RunEvent.ReplicaComputed>().Select(e => HashChain.Of(e.Result));
            var end = committed with { Version = version, ChainHead = HashChain.Append(HashChain.Empty, results, version) };
            return ChainAudit.Check(paths, id, [.. again, end], [], default).Problems;
        }

        Assert.Empty(Complaints(committed.Version));
        Assert.Contains("round 0 came to version", Assert.Single(Complaints(Digest.Of("another"u8))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_result_that_was_found_and_replaced_disproves_nothing_and_one_that_counts_does()
    {
        await _tiny.TrainAsync(TinyRun.Settings("a"), "cpu:1");
        var paths = new DataPaths(Path.Combine(_tiny.Root, "data"));
        var address = DatabaseAddress.Parse(null, paths.Root);
        var id = (await new RunList(address).ReadAsync(default)).Single().Run;
        var events = await JournalReader.ReadAsync(address, id, default);
        var computed = events.OfType<RunEvent.ReplicaComputed>().First();
        var wrong = computed.Result with { Samples = Digest.Of("others"u8) };
        IReadOnlyList<string> Complaints(params RunEvent[] instead) => ChainAudit.Check(
            paths, id, [.. events.SelectMany(e => e == computed ? instead : [e])], [], default).Problems;

        Assert.Empty(Complaints(
            computed with { Result = wrong },
            new RunEvent.ReplicaContested(id, wrong, computed.Result, new NodeId("b")),
            new RunEvent.ReplicaSettled(id, computed.Result, new NodeId("c"))));
        Assert.Contains(
            "round 0, replica 0: the journal's digest of the samples",
            Complaints(computed with { Result = wrong })[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_corpus_changed_after_the_fact_fails_the_audit()
    {
        await _tiny.TrainAsync(TinyRun.Settings("a"), "cpu:1");
        var shard = Directory.EnumerateFiles(Path.Combine(_tiny.Root, "data", "corpora"), "train-*", SearchOption.AllDirectories).Single();
        var bytes = File.ReadAllBytes(shard);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(shard, bytes);

        Assert.Contains(await ComplaintsAsync(), p => p.Contains(Path.GetFileName(shard), StringComparison.Ordinal));
    }

    private Task<AuditReport> AuditAsync() =>
        JournalAudit.RunAsync(Path.Combine(_tiny.Root, "data"), null, new RunName("a"), CancellationToken.None);

    private async Task<IReadOnlyList<string>> ComplaintsAsync()
    {
        try
        {
            return (await AuditAsync()).Problems;
        }
        catch (ElasticException e)
        {
            return [e.Message];
        }
    }

    private List<(long Row, byte[] Payload)> ReplicaEvents()
    {
        using var connection = Connect();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT ordering, message FROM journal WHERE manifest = 'replica-computed' ORDER BY ordering";
        using var reader = command.ExecuteReader();
        var rows = new List<(long, byte[])>();
        while (reader.Read())
            rows.Add((reader.GetInt64(0), reader.GetFieldValue<byte[]>(1)));
        return rows;
    }

    private static ReplicaResult ResultOf(byte[] payload) =>
        Assert.IsType<RunEvent.ReplicaComputed>(EventCodec.Default.Read("replica-computed", payload)).Result;

    private void Write(long row, byte[] payload)
    {
        using var connection = Connect();
        using var command = connection.CreateCommand();
        command.CommandText = "UPDATE journal SET message = $message WHERE ordering = $row";
        command.Parameters.AddWithValue("$message", payload);
        command.Parameters.AddWithValue("$row", row);
        Assert.Equal(1, command.ExecuteNonQuery());
    }

    private void Execute(string sql)
    {
        using var connection = Connect();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        Assert.NotEqual(0, command.ExecuteNonQuery());
    }

    private SqliteConnection Connect()
    {
        var connection = new SqliteConnection($"Data Source={Path.Combine(_tiny.Root, "data", "journal.db")}");
        connection.Open();
        return connection;
    }
}
