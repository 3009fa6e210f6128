using System.Security.Cryptography;
using System.Text.Json;
using Elastic.Actors.Control;
using Elastic.Actors.Nodes;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>The build of a corpus of a few files, in a folder that holds the nodes' data directories, too.</summary>
internal sealed class SmallBuild : IDisposable
{
    public const int Files = 12;

    private static readonly string[] Words = ["alpha", "beta", "gamma", "delta", "kappa", "lambda", "sigma", "omega"];

    public SmallBuild()
    {
        Directory.CreateDirectory(Sources);
        // Of every five documents two are the same, and one is too short.
        for (var file = 0; file < Files; file++)
            File.WriteAllLines(
                Path.Combine(Sources, $"{file:00}.jsonl"),
                Enumerable.Range(0, 5).Select(
                    i => JsonSerializer.Serialize(new { text = i == 3 ? "short" : Text(i == 4 ? 0 : file * 10 + i) })));
    }

    public string Root { get; } = Path.Combine(Path.GetTempPath(), $"elastic-{Guid.NewGuid():N}");

    public string Sources => Path.Combine(Root, "sources");

    public BuildPlan Plan => PlanOf(Sources);

    public BuildPlan PlanOf(string path) => new(
        Path.Combine(Root, "web.conf"), $"the manifest of {path}", [],
        BuildManifest.Of(
            [[new("source.name", ["in"], false, "a test"), new("source.paths", [path], true, "a test"),
                new("source.include", ["*.jsonl"], true, "a test")]],
            [
                (StageKinds.Find("clean")!, []),
                (StageKinds.Find("gopher-quality")!, [new("gopher-quality.words", ["20", "1000"], true, "a test"),
                    new("gopher-quality.least-stop-words", ["0"], false, "a test")]),
                (StageKinds.Find("exact-duplicates")!, []),
            ]),
        CorpusSettings.Defaults with { Tokenizer = "byte" });

    public List<(string Name, string Hash)> OnOneMachine()
    {
        var built = OnOneMachine(Plan.Manifest);
        Assert.Equal((Files * 5, Files * 3), (built.Read.Sum(r => r.Documents), built.Kept.Sum(r => r.Documents)));
        return TextsOf("alone");
    }

    /// <summary>Builds in a fresh data directory called "alone".</summary>
    public BuildReport OnOneMachine(BuildManifest manifest)
    {
        var alone = Path.Combine(Root, "alone");
        if (Directory.Exists(alone))
            Directory.Delete(alone, recursive: true);
        return new CorpusBuilder(manifest, new PieceStore(Path.Combine(alone, "pieces")), Path.Combine(alone, "texts"))
            .Run(1, null, CancellationToken.None).Report;
    }

    /// <summary>One more file.</summary>
    public void AddFile() => File.WriteAllText(
        Path.Combine(Sources, $"{Files:00}.jsonl"), JsonSerializer.Serialize(new { text = Text(Files * 10) }) + "\n");

    public static async Task<BuildStatus> WatchAsync(ElasticNode seed, string build, CancellationToken cancel)
    {
        BuildStatus? last = null;
        await foreach (var status in seed.Control.WatchBuildAsync(build, cancel).WithCancellation(cancel))
            last = status;
        return last!;
    }

    public Task<ElasticNode> StartAsync(
        string name, NodeDuty duty, NodeFaults faults, CancellationToken cancel, Func<NodeSettings, NodeSettings>? change = null)
    {
        var settings = NodeSettings.Defaults with { Devices = "none", DataDir = Path.Combine(Root, name) };
        return ElasticNode.StartAsync(change?.Invoke(settings) ?? settings, duty, _ => { }, faults, Transport.Plain, cancel);
    }

    /// <summary>The files of the only text of a node, below its folder, whose name is the text's identity.</summary>
    public List<(string Name, string Hash)> TextsOf(string name)
    {
        var folder = Assert.Single(Directory.GetDirectories(Path.Combine(Root, name, "texts")));
        return
        [
            (Path.GetFileName(folder), ""),
            .. Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
                .Select(f => (Path.GetRelativePath(folder, f), Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(f))))),
        ];
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    private static string Text(int seed) =>
        string.Join(' ', Enumerable.Range(0, 40).Select(i => Words[(seed * 7 + i * i * (seed + 3)) % Words.Length])) + $" {seed}";
}
