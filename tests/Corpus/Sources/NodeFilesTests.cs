using Elastic.Corpus.Build;
using Elastic.Corpus.Tests.Build;
using Elastic.Foundation;

namespace Elastic.Corpus.Tests.Sources;

/// <summary>Sources on another node.</summary>
public sealed class NodeFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _notices = [];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("worker-1:/data/web", "worker-1", "/data/web")]
    [InlineData("10.0.0.7:4053:/data", "10.0.0.7:4053", "/data")]
    [InlineData("[fe80::1]:4053:/data/a:/b", "[fe80::1]:4053", "/data/a:/b")]
    [InlineData("/data/a:/b", null, null)]
    [InlineData("C:/data", null, null)]
    [InlineData("worker-1:data", null, null)]
    [InlineData("s3://bucket/a", null, null)]
    [InlineData("https://example.org:443/a.txt", null, null)]
    public void A_path_of_a_node_has_the_node_before_a_full_path(string text, string? node, string? path)
    {
        Assert.Equal(node is null ? null : new NodePath(node, path!), NodePath.Of(text));
        Assert.Equal(node is null ? null : text, NodePath.Of(text)?.ToString());
    }

    [Fact]
    public async Task A_folder_of_a_node_is_built_like_a_folder_here_and_fetched_once()
    {
        _folder.Write("in/a.txt", "one");
        _folder.Write("in/deep/b.jsonl", "{\"text\": \"two\"}\n");
        _folder.Write("in/drafts/c.txt", "no");
        _folder.Write("in/picture.png", "1");
        _folder.Write("in/.git/d.txt", "hidden");
        _folder.Write("in/.e.txt", "hidden");
        var here = Build(Manifest(_folder["in"]));
        var nodes = new Nodes([_folder["in"]]);
        Assert.Equal(here.Folder, Build(await GetAsync(nodes)).Folder);
        Assert.Equal(["a.txt", "deep/b.jsonl"], nodes.Fetched.Order(StringComparer.Ordinal));
        Assert.StartsWith("fetched 2 of 2 files of w1:", Assert.Single(_notices), StringComparison.Ordinal);

        _folder.Write("in/a.txt", "changed");
        File.Delete(_folder["in/deep/b.jsonl"]);
        nodes.Fetched.Clear();
        Assert.Equal(Build(Manifest(_folder["in"])).Folder, Build(await GetAsync(nodes)).Folder);
        Assert.Equal(["a.txt"], nodes.Fetched);
    }

    [Fact]
    public async Task What_is_not_below_the_roots_is_refused_and_a_link_out_of_them_is_named()
    {
        _folder.Write("in/a.txt", "one");
        _folder.Write("secret.txt", "not for others");
        File.CreateSymbolicLink(_folder["in/b.txt"], _folder["secret.txt"]);
        var manifest = await GetAsync(new Nodes([_folder["in"]]));
        Assert.Equal(["source in: b.txt leads out of what its node lets others read (node.corpus-roots)"], manifest.Unfetched);
        Assert.StartsWith($"source in: w1:{_folder["in"]}: b.txt leads out of", _notices[0], StringComparison.Ordinal);
        Assert.Equal(1, Build(manifest).Report.Read[0].Documents);

        var refused = await Assert.ThrowsAsync<ElasticException>(() => GetAsync(new Nodes([])));
        Assert.Contains($"{_folder["in"]} is not below this node's node.corpus-roots (empty)", refused.Message, StringComparison.Ordinal);
        var alone = await Assert.ThrowsAsync<ElasticException>(
            () => new Downloads(_folder["downloads"], _notices.Add).GetAsync(Manifest($"w1:{_folder["in"]}"), default));
        Assert.Contains("is a path of a node: have the cluster build it (pbm corpus build)", alone.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pipe_is_named_and_waits_for_no_writer()
    {
        _folder.Write("in/a.py", "print()");
        foreach (var pipe in (string[])["LICENSE", "pipe.txt"])
        {
            using var make = System.Diagnostics.Process.Start("mkfifo", [_folder[$"in/{pipe}"]]);
            await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        var manifest = await Task.Run(() => GetAsync(new Nodes([_folder["in"]]))).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(
            ((string[])["LICENSE", "pipe.txt"]).Select(
                name => $"source in: {name} cannot be read ({name} is a pipe, a socket or a device: name a regular file)"),
            manifest.Unfetched.Order(StringComparer.Ordinal));
        // As a folder of this machine.
        var read = await Task.Run(() => Build(Manifest(_folder["in"]))).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(1, read.Report.Read[0].Documents);
    }

    private Task<BuildManifest> GetAsync(Nodes nodes) =>
        new Downloads(_folder["downloads"], _notices.Add) { Nodes = nodes }.GetAsync(Manifest($"w1:{_folder["in"]}"), default);

    private static BuildManifest Manifest(string path) =>
        Manifests.OfSources([("name", "in"), ("paths[]", path), ("exclude[]", "drafts")]);

    // Without what was passed over and could not be fetched: it names the build, too.
    private BuiltText Build(BuildManifest manifest) =>
        new CorpusBuilder(manifest with { Unfetched = [.. manifest.Unfetched.Where(r => !r.Contains("b.txt", StringComparison.Ordinal))] },
            new PieceStore(_folder["pieces"]), _folder["texts"]).Run(1, null, default);

    private sealed class Nodes(string[] roots) : ISourceNodes
    {
        private readonly Dictionary<string, string> _files = [];

        public List<string> Fetched { get; } = [];

        public Task<NodeListing> ListAsync(NodePath path, CancellationToken cancel) => Task.FromResult(NodeListing.Read(
            NodeListing.Take(path.Path, roots, (digest, real, _) => _files[digest.Hex] = real, cancel).Write()));

        public Task FetchAsync(NodePath path, ListedFile file, string into, CancellationToken cancel)
        {
            lock (Fetched)
                Fetched.Add(file.Name);
            File.Copy(_files[file.Sha256], into);
            return Task.CompletedTask;
        }
    }
}
