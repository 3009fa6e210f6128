using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Host.Tests.Pbm;

/// <summary><c>pbm corpus</c> on a cluster of the test's making.</summary>
public sealed class CorpusPaletteTests : TemporaryFolder
{
    private static readonly BuildSight Half = new(
        "reads by nodes", 1200, 50 << 20, 100 << 20, 400, 10 << 20, 3, [("clean", 3), ("gopher-quality", 70)], ["waits for a node"], 1);

    private readonly FakeCluster _cluster = new();

    [Fact]
    public async Task A_build_shows_how_far_it_is_what_was_dropped_and_where_it_is_at_the_end()
    {
        _cluster.Builds.AddRange([
            Status(Half), Status(Half with { Documents = 1300 }),
            Status(Half with { Phase = "makes tokens", Nodes = 0, DocumentsPerSecond = 0 }),
            Status(null) with { State = BuildState.Done, Note = "/data/corpora/5f2c", Corpus = Digest.Of("corpus"u8) }]);
        var manifest = Write("web.conf", $"sources = [ {{ name = a, paths = [{Folder}] }} ]\nstages = [ {{ stage = clean }} ]");
        var lines = await Lines("build", ("manifest", manifest), ("set", "corpus.tokenizer=byte"));
        Assert.Equal(
            [
                "builds web-3k9v2mq7; Ctrl-C ends the watch, not the build: pbm corpus watch -b web-3k9v2mq7, "
                    + "pbm corpus stop -b web-3k9v2mq7",
                "waits for a node",
                "reads by nodes: 1.20k documents, 50.0 MiB of 100.0 MiB, 400/s, 10.0 MiB/s, 5s left, 3 nodes, clean dropped 3, "
                    + "gopher-quality dropped 70",
                "makes tokens: 1.20k documents, 50.0 MiB of 100.0 MiB, 5s left, clean dropped 3, gopher-quality dropped 70",
                "built web-3k9v2mq7: /data/corpora/5f2c",
            ],
            lines.Select(l => l.Text));
        Assert.Equal((1200L, 70L), ((long)lines[2].Json!["documents"]!, (long)lines[2].Json!["dropped"]!["gopher-quality"]!));
        Assert.Equal(("done", Digest.Of("corpus"u8).Hex), ((string)lines[^1].Json!["state"]!, (string)lines[^1].Json!["corpus"]!));
        Assert.Null(_cluster.Planned!.Manifest.Limit);
        Assert.Equal(
            (manifest, "byte", "a", "pbm anna@gpu7"),
            (_cluster.Planned!.Path, _cluster.Planned.Corpus.Tokenizer, Assert.Single(_cluster.Planned.Manifest.Sources).Name,
                _cluster.Asker!.Who));
    }

    [Fact]
    public async Task What_is_wrong_with_a_manifest_or_a_build_is_said()
    {
        Assert.StartsWith(
            "there is no manifest ",
            (await Assert.ThrowsAsync<NotFoundException>(() => Lines("build", ("manifest", "none.conf")))).Message,
            StringComparison.Ordinal);
        _cluster.Builds.Add(Status(null) with { State = BuildState.Failed, Note = "nothing is left of 3 documents" });
        Assert.Equal(
            "the build web-3k9v2mq7: nothing is left of 3 documents",
            (await Assert.ThrowsAsync<ElasticException>(() => Lines("watch", ("build", "web-3k9v2mq7")))).Message);
        Assert.Equal(
            "no build goes on: see pbm corpus list", (await Assert.ThrowsAsync<NotFoundException>(() => Lines("watch"))).Message);
        Assert.StartsWith(
            "there is no build wep: ",
            (await Assert.ThrowsAsync<NotFoundException>(() => Lines("stop", ("build", "wep")))).Message, StringComparison.Ordinal);
        Assert.Null(_cluster.StoppedBuild);
    }

    [Fact]
    public async Task A_trial_goes_on_as_a_trial_on_another_seed()
    {
        _cluster.Builds.AddRange([Status(null) with { State = BuildState.Done, Note = "/data/corpora/5f2c" }]);
        var manifest = Write("web.conf", $"sources = [ {{ name = a, paths = [{Folder}] }} ]");
        await Lines("build", ("manifest", manifest), ("limit", "1000"));
        Assert.Equal(1000, _cluster.Planned!.Manifest.Limit);
        Assert.Equal(1000, CorpusPalette.PlanOf(new StoredBuild(
            "web-3k9v2mq7", new NodeId("a"), manifest, _cluster.Planned.Text, [], "anna", default, BuildState.Running, "")).Manifest.Limit);
        await Assert.ThrowsAsync<SettingsException>(() => Lines("build", ("manifest", manifest), ("limit", "0")));
    }

    [Fact]
    public async Task Builds_are_listed_and_the_only_one_that_goes_on_is_stopped_without_its_name()
    {
        Assert.Equal("no builds yet: begin one with pbm corpus build -m FILE", Assert.Single(await Lines("list")).Text);
        _cluster.Builds.AddRange([Status(Half), Status(null) with { Build = "old-3k9v2mq7", State = BuildState.Stopped }]);
        var lines = await Lines("list");
        Assert.Equal(3, lines.Count);
        Assert.Matches(@"^web-3k9v2mq7 +running +2026-03-29 01:00Z +1.20k +50.0 MiB of 100.0 MiB +/data/web.conf", lines[1].Text);
        await Lines("stop");
        Assert.Equal("web-3k9v2mq7", _cluster.StoppedBuild);
    }

    [Fact]
    public async Task A_deleted_corpus_comes_with_what_it_freed_where_and_with_who_has_it_still()
    {
        var id = Digest.Of("a corpus"u8);
        _cluster.DeletedCorpus = new DeletedCorpus(
            id, [new("seed:1", 3 << 20, null), new("w:1", 1 << 20, null), new("w:2", 0, null)], [new RunName("books")]);
        var lines = await Lines("delete", ("corpus", "books"));
        Assert.Equal(
            [
                $"deleted the corpus {id.Short}: 4.0 MiB on 2 nodes (seed:1, w:1)",
                "books, finished, cannot be audited, evaluated or made longer until it is built again",
                $"a node that is away keeps it: remove corpora/{id.Short}... and corpora-fetched/{id.Short}... in its data directory by "
                    + "hand",
            ], lines.Select(l => l.Text));
        Assert.Equal((id.Hex, 4L << 20), ((string)lines[0].Json!["corpus"]!, (long)lines[0].Json!["bytes"]!));

        _cluster.DeletedCorpus = new DeletedCorpus(id, [new("w:1", 0, "node w:1: the folder is being built")], []);
        var error = await Assert.ThrowsAsync<ElasticException>(() => Lines("delete", ("corpus", "books")));
        Assert.Equal("node w:1: the folder is being built", error.Message);
    }

    [Fact]
    public void A_stored_build_goes_on_only_where_its_sources_are()
    {
        var text = $"sources = [ {{ name = a, paths = [{Folder}, \"https://example.org/a.txt\"] }} ]";
        var stored = new StoredBuild(
            "web-3k9v2mq7", new NodeId("a"), Path.Combine(Folder, "web.conf"), text, ["corpus.tokenizer=byte"], "anna", default,
            BuildState.Running, "");
        Assert.Equal("byte", CorpusPalette.PlanOf(stored).Corpus.Tokenizer);
        Assert.Contains(
            "none, which",
            Assert.Throws<NotFoundException>(
                () => CorpusPalette.PlanOf(stored with { Text = text.Replace(Folder, "none", StringComparison.Ordinal) })).Message,
            StringComparison.Ordinal);
    }

    private static BuildStatus Status(BuildSight? now) => new(
        "web-3k9v2mq7", "/data/web.conf", new NodeId("seed1-3k9v2mq7"), "pbm anna@gpu7",
        new DateTimeOffset(2026, 3, 29, 1, 0, 0, TimeSpan.Zero), BuildState.Running, "")
    { Now = now };

    private Task<List<PbmLine>> Lines(string name, params (string Argument, string Value)[] values)
    {
        var command = _cluster.Command($"corpus {name}");
        Assert.Equal(name is "build" or "stop" or "delete", command.Changes);
        return command.LinesAsync(values);
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
