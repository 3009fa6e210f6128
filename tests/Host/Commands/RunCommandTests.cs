using Elastic.Host.Commands;
using Elastic.Host.Configuration;
using Elastic.Messages;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

/// <summary>Runs that lie in a data directory with its journal; nothing is trained here.</summary>
public sealed class RunCommandTests : IAsyncLifetime
{
    private readonly string _root = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly StringWriter _output = new(), _error = new();

    public async ValueTask InitializeAsync()
    {
        var database = DatabaseAddress.Parse(null, _root);
        await database.PrepareAsync(_ => { }, default);
        await new RunList(database).AddAsync(RunSamples.Id, "a", default);
        await JournalTable.WriteAsync(database, RunSamples.Id, RunSamples.Journal(4));
        foreach (var (run, bytes) in new[] { (RunSamples.Id.Value, 2048), ("gone-00000000", 1024) })
        {
            Directory.CreateDirectory(Path.Combine(_root, "runs", run, "blobs"));
            await File.WriteAllBytesAsync(Path.Combine(_root, "runs", run, "blobs", "x"), new byte[bytes]);
        }
    }

    public ValueTask DisposeAsync()
    {
        _output.Dispose();
        _error.Dispose();
        Directory.Delete(_root, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task The_list_shows_state_and_size_and_folders_that_belong_to_no_run()
    {
        Assert.Equal(ExitCodes.Done, await Run("list"));
        Assert.Equal(
            [
                "RUN   ID             STATE               ROUND     VAL     SIZE",
                "a     a-00000000     finished              4/4  1.0000  2.0 KiB",
                "gone  gone-00000000  not in the journal                 1.0 KiB",
                $"3.0 KiB in {Path.Combine(_root, "runs")}",
            ],
            Lines());
    }

    [Fact]
    public async Task A_run_is_shown_with_its_files_and_the_settings_that_are_not_the_defaults()
    {
        Assert.Equal(ExitCodes.Done, await Run("show", "--run", "a"));
        var shown = Lines();
        foreach (var line in new[] { "run           a", "round         4/4", "blobs         2.0 KiB", "setting       run.replicas = 2" })
            Assert.Contains(line, shown);
        Assert.DoesNotContain(shown, l => l.Contains("run.seed", StringComparison.Ordinal));
        Assert.Equal(ExitCodes.NotFound, await Run("show", "--run", "b"));
        Assert.Contains("there is no run b in", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deleted_run_is_gone_from_list_and_disk_and_its_events_stay()
    {
        Assert.Equal(ExitCodes.Done, await Run("delete", "--run", "a"));
        Assert.Equal(["deleted a-00000000, 2.0 KiB"], Lines());
        var database = DatabaseAddress.Parse(null, _root);
        Assert.Empty(await new RunList(database).ReadAsync(default));
        Assert.NotEmpty(await JournalReader.ReadAsync(database, RunSamples.Id, default));
        Assert.False(Directory.Exists(Path.Combine(_root, "runs", "a-00000000")));
        Assert.Null(await StoredRuns.FindAsync(database, new RunName("a"), default));
    }

    [Fact]
    public async Task A_directory_in_use_is_left_alone()
    {
        using var held = new DataDirectory(_root).Take();
        Assert.Equal(ExitCodes.Failed, await Run("delete", "--run", "a"));
        Assert.Contains($"is in use by process {Environment.ProcessId}", _error.ToString(), StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(_root, "runs", "a-00000000")));
    }

    [Fact]
    public async Task Pruning_removes_what_belongs_to_no_run_and_says_so_first()
    {
        Assert.Equal(ExitCodes.Done, await Run("prune", "--dry-run"));
        Assert.Equal([$"would remove {Path.Combine(_root, "runs", "gone-00000000")}, 1.0 KiB"], Lines());
        Assert.True(Directory.Exists(Path.Combine(_root, "runs", "gone-00000000")));
        await Run("prune");
        Assert.False(Directory.Exists(Path.Combine(_root, "runs", "gone-00000000")));
        Assert.True(Directory.Exists(Path.Combine(_root, "runs", "a-00000000")));

        File.Delete(Path.Combine(_root, "journal.db"));                  // as on a worker
        Assert.Equal(ExitCodes.Failed, await Run("prune"));
        Assert.Contains("nothing says which runs are still wanted", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_two_journals_the_directory_s_own_is_read_and_nothing_is_deleted_or_backed_up_until_one_is_named()
    {
        var (other, backup) = (Path.Combine(_root, "other.db"), $"{_root}-backup");
        await DatabaseAddress.Parse($"sqlite:{other}", _root).PrepareAsync(_ => { }, default);
        try
        {
            var (own, two) = ($"sqlite:{_root}/journal.db", $"{_root}/journal.db is a journal, and ELASTIC_DATABASE names another one, ");
            var remark = $"this is of {_root}/journal.db; for the database that ELASTIC_DATABASE names give --database";
            await Says(ExitCodes.Failed, other, two, "run", "prune");
            await Says(ExitCodes.Failed, other, two, "run", "delete", "--run", "gone");
            await Says(ExitCodes.Failed, other, two, "run", "delete", "--run", "a");
            await Says(ExitCodes.Failed, other, two, "backup", "--out", backup);
            await Says(ExitCodes.Done, other, "a     a-00000000     finished ", "run", "list");
            await Says(ExitCodes.Done, other, remark, "run", "list", "--json");
            await Says(ExitCodes.Done, other, remark, "run", "show", "--run", "gone");
            await Says(ExitCodes.NotFound, other, $"knows nothing of run gone: {remark}", "corpus", "audit", "--run", "gone");
            Assert.True(File.Exists(Path.Combine(_root, "runs", "a-00000000", "blobs", "x")));
            Assert.True(Directory.Exists(Path.Combine(_root, "runs", "gone-00000000")));
            Assert.False(Directory.Exists(backup));

            // The variable may name this same file, and whoever names the file means it.
            await Says(ExitCodes.Done, Path.Combine(_root, "runs", "..", "journal.db"), "a-00000000", "backup", "--out", backup);
            await Says(ExitCodes.Done, other, "a-00000000", "backup", "--out", backup, "--database", own);
            Assert.True(File.Exists(Path.Combine(backup, "journal.db")));
        }
        finally
        {
            if (Directory.Exists(backup))
                Directory.Delete(backup, recursive: true);
        }

        async Task Says(int exit, string database, string words, params string[] args)
        {
            using var elastic = new ElasticProcess(
                Launch.Elastic with { Environment = new Dictionary<string, string> { ["ELASTIC_DATABASE"] = $"sqlite:{database}" } },
                [.. args, "--data-dir", _root]);
            Assert.Equal(exit, await elastic.EndAsync());
            Assert.Contains(words, elastic.Said, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Pruning_by_another_journal_than_the_directory_s_own_is_refused()
    {
        var other = $"sqlite:{Path.Combine(_root, "other.db")}";
        await DatabaseAddress.Parse(other, _root).PrepareAsync(_ => { }, default);
        Assert.Equal(ExitCodes.Failed, await Run("prune", "--database", other));
        Assert.Contains($"and --database names another one, {other}: a folder", _error.ToString(), StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(_root, "runs", "a-00000000")));
        Assert.Equal(ExitCodes.Done, await Run("prune", "--database", $"sqlite:{Path.Combine(_root, "journal.db")}"));
        Assert.Equal(["a-00000000"], new DataDirectory(_root).RunIds.Select(r => r.Value));
    }

    [Fact]
    public async Task What_a_journal_that_seeds_share_lists_is_left_to_them_and_only_what_it_does_not_list_is_deleted()
    {
        var seed = Path.Combine(_root, "seed");
        var (work, old) = (Path.Combine(seed, "runs", "a-00000000"), Path.Combine(seed, "runs", "a-11111111"));
        Directory.CreateDirectory(work);
        string[] delete =
            ["run", "delete", "--run", "a", "--data-dir", seed, "--database", $"sqlite:{Path.Combine(_root, "journal.db")}"];
        Assert.Equal(ExitCodes.Failed, await ElasticCommandLine.RunAsync(delete, _output, _error));
        Assert.Contains("delete it with pbm run delete -n a, ", _error.ToString(), StringComparison.Ordinal);
        Assert.True(Directory.Exists(work));

        Directory.CreateDirectory(old);                                  // of an earlier run of the name
        Assert.Equal(ExitCodes.Done, await ElasticCommandLine.RunAsync(delete, _output, _error));
        Assert.Equal((true, false), (Directory.Exists(work), Directory.Exists(old)));
        var list = new RunList(DatabaseAddress.Parse(null, _root));
        Assert.Equal([RunSamples.Id], (await list.ReadAsync(default)).Select(r => r.Run));

        await list.RemoveAsync(RunSamples.Id, default);                  // as pbm run delete does
        Assert.Equal(ExitCodes.Done, await ElasticCommandLine.RunAsync(delete, _output, _error));
        Assert.False(Directory.Exists(work));
    }

    [Theory]
    [InlineData("run", "list")]
    [InlineData("backup", "--out", "/tmp/nothing-is-written-there")]
    [InlineData("corpus", "audit", "--run", "a")]
    public async Task A_wrong_address_of_a_database_is_wrong_usage_and_one_that_is_away_is_unreachable(params string[] command)
    {
        Assert.Equal(ExitCodes.WrongUsage, await ElasticCommandLine.RunAsync(
            [.. command, "--data-dir", _root, "--database", "foo"], _output, _error));
        if (command[0] == "backup")
            return;                                                      // a journal in PostgreSQL is backed up with its own tools
        Assert.Equal(ExitCodes.Unreachable, await ElasticCommandLine.RunAsync(
            [.. command, "--data-dir", _root, "--database", "postgres://elastic@127.0.0.1:1/elastic"], _output, _error));
        Assert.Contains("see that it runs, then try again", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_alone_goes_on_with_what_the_journal_remembers_and_only_what_is_given_changes()
    {
        var request = new ConfigurationRequest([], [], Run: "a", DataDir: _root);
        var settings = await TrainCommand.LoadAsync(request, default);
        Assert.Equal(RunSamples.Begin.Settings, Messages.Settings.SettingsText.Write(settings.Training));
        Assert.Equal((RunSamples.Begin.Corpus, "as started"), (settings.Corpus, settings.Title));

        var changed = await TrainCommand.LoadAsync(request with { Sets = ["run.rounds=9"] }, default);
        Assert.Equal(
            ["run.rounds: 4 -> 9"], Messages.Settings.SettingsDifference.Between(settings.Training, changed.Training));
        Assert.Null((await TrainCommand.LoadAsync(request with { Corpus = ["/data"] }, default)).Corpus);

        // Whoever names a preset means it.
        var preset = (await TrainCommand.LoadAsync(request with { Configs = ["tiny"] }, default)).Training;
        Assert.Equal((80, "a"), (preset.Run.Rounds, preset.Run.Name));
        // Another name is another run.
        Assert.Equal("tiny", (await TrainCommand.LoadAsync(request with { Run = "b" }, default)).Title);
    }

    [Fact]
    public async Task Config_shows_what_train_would_use_with_the_same_options()
    {
        Assert.Equal(ExitCodes.Done, await ElasticCommandLine.RunAsync(
            ["config", "--run", "a", "--no-dashboard", "--data-dir", _root], _output, _error));
        var lines = Lines();
        Assert.EndsWith(
            "# run a", Assert.Single(lines, l => l.StartsWith("run.replicas = 2 ", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains(lines, l => l.StartsWith("node.dashboard = false ", StringComparison.Ordinal));

        Assert.Equal(ExitCodes.Done, await ElasticCommandLine.RunAsync(
            ["config", "--run", "b", "--init", "round-000005.json", "--data-dir", _root], _output, _error));
        Assert.Contains(Lines(), l => l.StartsWith(
            $"model.init = \"{Path.GetFullPath("round-000005.json")}\"", StringComparison.Ordinal));
    }

    private List<string> Lines()
    {
        var lines = _output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).ToList();
        _output.GetStringBuilder().Clear();
        return lines;
    }

    private Task<int> Run(params string[] args) =>
        ElasticCommandLine.RunAsync(["run", .. args, "--data-dir", _root], _output, _error);
}
