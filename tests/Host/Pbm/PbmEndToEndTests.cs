using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;
using Elastic.Pbm;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Pbm;

/// <summary>The client and the server of this build, over a real connection, on a cluster of the test's making.</summary>
public sealed class PbmEndToEndTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly FakeCluster _cluster = new();
    private readonly StringWriter _output = new(), _error = new();
    private readonly Elastic.Pbm.Interruption _interruption = new();
    private PbmServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await PbmServer.StartAsync(
        "127.0.0.1", 0, TestService.Of(_folder, ControlPalettes.Of(_cluster, TimeProvider.System)), Transport.Plain,
        CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _interruption.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("run list", 0)]
    [InlineData("run --help", 0)]
    [InlineData("run start --help", 0)]
    [InlineData("--help", 0)]
    [InlineData("run start -n a -s run.rouds=1", 2)]
    [InlineData("run lst", 2)]
    [InlineData("run stop", 2)]
    [InlineData("run status -n nobody", 3)]
    public async Task The_exit_code_says_how_it_went(string line, int code)
    {
        Assert.Equal(code, await Pbm(line));
        Assert.Equal(code == 0, _error.ToString().Length == 0);
        Assert.Equal(code == 0, _output.ToString().Length > 0);
    }

    [Fact]
    public async Task The_help_shows_the_palettes_of_the_server()
    {
        await Pbm("--help");
        Assert.Contains($"Palettes of {_server.Endpoint}:", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("start, list, status, watch, why, ", _output.ToString(), StringComparison.Ordinal);
        Assert.All(_output.ToString().Split('\n'), l => Assert.InRange(l.Length, 0, 100));
    }

    [Fact]
    public async Task The_help_of_a_command_explains_whose_files_are_meant()
    {
        await Pbm("run start --help");
        Assert.Contains(
            "pbm run start [-c PRESET|FILE]... [-d DIR|FILE]... -n NAME [-s KEY=VALUE]...", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("a path on the seed's machine", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("Examples:", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_command_is_text_for_people_and_one_object_a_line_for_scripts()
    {
        Assert.Equal(0, await Pbm("run status"));
        Assert.StartsWith("run           tiny", _output.ToString(), StringComparison.Ordinal);
        _output.GetStringBuilder().Clear();
        Assert.Equal(0, await Pbm("run status --json"));
        Assert.Equal("tiny", (string?)JsonNode.Parse(Assert.Single(_output.ToString().Trim().Split('\n')))!["run"]);
    }

    [Fact]
    public async Task A_file_of_the_client_s_machine_starts_a_run()
    {
        var file = Path.Combine(_folder, "mine.conf");
        await File.WriteAllTextAsync(file, "run { rounds = 7 }");
        Assert.Equal(0, await Pbm($"run start -n mine -c tiny -c {file} -d /data/of/the/seed"));
        Assert.Equal(("mine", 7), (_cluster.Started!.Run.Name, _cluster.Started.Run.Rounds!.Value));
        Assert.Contains("started run mine", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_run_is_told_who_asks_and_each_command_has_an_id_of_its_own()
    {
        var before = DateTimeOffset.UtcNow;
        Assert.Equal(0, await Pbm("run stop -n tiny"));
        var first = _cluster.Asker!;
        Assert.Equal($"pbm {Environment.UserName}@{Environment.MachineName}", first.Who);
        Assert.InRange(first.At, before, DateTimeOffset.UtcNow);
        Assert.Equal(0, await Pbm("run stop -n tiny"));
        Assert.NotEqual(first.Id, _cluster.Asker!.Id);
        Assert.All([first.Id, _cluster.Asker.Id], id => Assert.Matches("^[0-9a-f]{32}$", id));
    }

    [Fact]
    public async Task A_problem_in_a_file_of_the_client_s_machine_is_told_with_its_line()
    {
        var file = Path.Combine(_folder, "mine.conf");
        await File.WriteAllTextAsync(file, "\nrun { rouds = 7 }");
        Assert.Equal(2, await Pbm($"run start -n mine -c {file}"));
        Assert.Contains("mine.conf, line 2): did you mean run.rounds?", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(RunPhase.Finished, 0)]
    [InlineData(RunPhase.Stopped, 1)]
    public async Task A_watch_ends_with_the_run(RunPhase phase, int code)
    {
        _cluster.Views = [FakeCluster.Tiny, FakeCluster.Tiny with { Phase = phase }];
        Assert.Equal(code, await Pbm("run watch"));
    }

    [Fact]
    public async Task An_interrupted_watch_ends_on_the_seed_too_and_is_exit_code_130()
    {
        var deadline = TimeSpan.FromSeconds(60);
        var watching = Pbm("run watch");                                 // which has nothing to show
        await _cluster.Watched.WaitAsync(deadline);
        Assert.True(_interruption.TryCancel());
        Assert.Equal(ExitCodes.Interrupted, await watching.WaitAsync(deadline));
        await _cluster.Unwatched.WaitAsync(deadline);
    }

    [Fact]
    public async Task A_prompt_runs_one_command_after_the_other()
    {
        Assert.Equal(3, await Pbm("", "run list\nrun status -n nobody\nexit\n"));
        Assert.Contains("tiny", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("there is no run nobody: there is only tiny", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_seed_that_has_gone_is_exit_code_4()
    {
        await _server.DisposeAsync();
        Assert.Equal(4, await Pbm("run list"));
    }

    [Fact]
    public async Task A_checkpoint_is_fetched_whole_and_can_be_read_where_it_lies_then()
    {
        Generation.LettersModel.Write(_folder);
        var run = Path.Combine(_folder, "runs", "letters-00000000");
        await File.WriteAllBytesAsync(Path.Combine(run, "tokenizer.json"), []);
        _cluster.Runs = [FakeCluster.Tiny with { Checkpoint = Path.Combine(run, "checkpoints", "round-000003.json") }];
        var here = Path.Combine(_folder, "here");
        Assert.Equal(0, await Pbm($"run fetch -o {here} --json"));
        var said = _output.ToString().Trim().Split('\n').Select(l => JsonNode.Parse(l)!).ToList();
        Assert.Equal(Path.Combine(here, "checkpoints", "round-000003.json"), (string?)said[1]["checkpoint"]);
        using var fetched = CheckpointReader.LoadNewest(here);
        Assert.Equal(fetched.Manifest.Fingerprint, (string?)said[1]["fingerprint"]);
        Assert.True(File.Exists(Path.Combine(here, "tokenizer.json")));

        // Once more into the same folder; then a blob that has lost its bytes on the seed.
        Assert.Equal(1, await Pbm($"run fetch -o {here}"));
        Assert.Contains($"{here} is there and not empty: name a new folder", _error.ToString(), StringComparison.Ordinal);
        var chunk = Directory.GetFiles(Path.Combine(run, "blobs"), "*", SearchOption.AllDirectories).MaxBy(f => new FileInfo(f).Length)!;
        await File.WriteAllBytesAsync(chunk, [1, 2, 3]);
        Assert.Equal(1, await Pbm($"run fetch -o {here}2"));
        Assert.Contains("has arrived with other bytes than its name says", _error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists($"{here}2"));
        File.Delete(chunk);
        Assert.Equal(1, await Pbm($"run fetch -o {here}3"));
        Assert.Contains("is not whole (", _error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists($"{here}3"));
    }

    [Fact]
    public async Task A_fetch_to_a_store_that_was_broken_off_goes_on_and_its_manifest_is_stored_last()
    {
        await using var store = await SmallObjectStore.StartAsync();
        Generation.LettersModel.Write(_folder);
        var run = Path.Combine(_folder, "runs", "letters-00000000");
        await File.WriteAllBytesAsync(Path.Combine(run, "tokenizer.json"), [1]);
        _cluster.Runs = [FakeCluster.Tiny with { Checkpoint = Path.Combine(run, "checkpoints", "round-000003.json") }];
        const string manifest = "kept/tiny/checkpoints/round-000003.json";
        // A blob that the newest checkpoint of an earlier attempt had alone.
        var old = $"kept/tiny/blobs/aa/{new string('a', 64)}";
        store.Objects[old] = [1];
        store.Before = asked =>
        {
            if (asked.StartsWith("PUT kept/tiny/tokenizer.json", StringComparison.Ordinal))
                store.Failures.Enqueue(403);
        };
        Assert.Equal(1, await Pbm($"run fetch -o {store["kept/tiny"]}"));
        Assert.Contains(
            "s3://kept/tiny/tokenizer.json cannot be stored: the store answered 403", _error.ToString(), StringComparison.Ordinal);
        Assert.False(store.Objects.ContainsKey(manifest));

        store.Before = null;
        var before = store.Asked.Count;
        Assert.Equal(0, await Pbm($"run fetch -o {store["kept/tiny"]} --json"));
        var stored = store.Asked.Skip(before).Where(a => a.StartsWith("PUT", StringComparison.Ordinal)).ToList();
        Assert.Equal($"PUT {manifest}", stored[^1]);
        Assert.Contains("PUT kept/tiny/tokenizer.json", stored);
        var said = JsonNode.Parse(_output.ToString().Trim().Split('\n')[^1])!;
        Assert.Equal("s3://" + manifest, (string?)said["checkpoint"]);

        // What is in the store is what a fetch to a folder writes, besides what was there.
        var here = Path.Combine(_folder, "here");
        Assert.Equal(0, await Pbm($"run fetch -o {here}"));
        Assert.Equal(
            Directory.GetFiles(here, "*", SearchOption.AllDirectories)
                .Select(f => ($"kept/tiny/{Path.GetRelativePath(here, f)}", Digest.Of(File.ReadAllBytes(f)).Hex)).Order(),
            store.Objects.Where(o => o.Key != old).Select(o => (o.Key, Digest.Of(o.Value).Hex)).Order());

        // Whole, it is not stored again; and not over another run's.
        before = store.Asked.Count;
        Assert.Equal(0, await Pbm($"run fetch -o {store["kept/tiny"]}"));
        Assert.DoesNotContain(store.Asked.Skip(before), a => a.StartsWith("PUT", StringComparison.Ordinal));
        await File.WriteAllBytesAsync(Path.Combine(run, "tokenizer.json"), [2]);
        Assert.Equal(1, await Pbm($"run fetch -o {store["kept/tiny"]}"));
        Assert.Contains("s3://kept/tiny holds something else already", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, await Pbm("run fetch -o s3://"));
        Assert.Contains("names no bucket: write s3://BUCKET/PREFIX", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_checkpoint_that_is_not_there_is_refused()
    {
        _cluster.Runs = [FakeCluster.Tiny with { Checkpoint = null }];
        Assert.Equal(1, await Pbm($"run fetch -o {Path.Combine(_folder, "here")}"));
        Assert.Contains("run tiny has no checkpoint yet", _error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder, "here")));
    }

    [Fact]
    public async Task Client_and_server_speak_through_the_transports_of_their_processes()
    {
        var scrambled = new ScrambledTransport();
        Task<PbmServer> StartAsync(PbmLimits limits) => PbmServer.StartAsync("127.0.0.1", 0,
            TestService.Of(_folder, ControlPalettes.Of(_cluster, TimeProvider.System), limits),
            scrambled.Transport, CancellationToken.None);
        await using var server = await StartAsync(PbmLimits.Default);
        await using var impatient = await StartAsync(PbmLimits.Default with { Handshake = TimeSpan.FromMilliseconds(200) });
        Task<int> List(Transport transport, PbmServer server) => PbmCommandLine.RunAsync(
            ["run", "list", "--token-file", PbmToken.PathIn(_folder)], server.Endpoint.ToString(),
            new PbmConsole(TextReader.Null, _output, _error, IsInteractive: false), _interruption, PbmDeadlines.Default, transport);

        Assert.Equal(0, await List(scrambled.Transport, server));
        Assert.Contains("tiny", _output.ToString(), StringComparison.Ordinal);
        Assert.Equal((1, 1), (scrambled.Opened, scrambled.Accepted));
        Assert.Equal(4, await List(Transport.Plain, impatient));
        Assert.Equal(4, await List(
            Transport.Plain with { AsClientAsync = (_, _, _) => throw new IOException("the certificate is another's") }, server));
        Assert.Contains("the certificate is another's", _error.ToString(), StringComparison.Ordinal);
    }

    private Task<int> Pbm(string line, string input = "") => PbmCommandLine.RunAsync(
        [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--token-file", PbmToken.PathIn(_folder)], _server.Endpoint.ToString(),
        new PbmConsole(new StringReader(input), _output, _error, IsInteractive: false), _interruption);
}
