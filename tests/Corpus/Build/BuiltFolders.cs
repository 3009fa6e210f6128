using System.Security.Cryptography;
using System.Text.Json;
using Elastic.Corpus.Build;

namespace Elastic.Corpus.Tests.Build;

/// <summary>Sources and builds in a folder of their own.</summary>
internal sealed class BuiltFolders : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public string this[string name] => _folder[name];

    /// <summary>A source of records.</summary>
    public string Records(string name, IEnumerable<object> records) =>
        _folder.Write(name, string.Concat(records.Select(r => JsonSerializer.Serialize(r) + "\n")));

    /// <summary>A source of records with these texts.</summary>
    public string Texts(string name, IEnumerable<string> texts) => Records(name, texts.Select(text => new { text }));

    public string Write(string name, string text) => _folder.Write(name, text);

    /// <param name="data">Builds of the same name share what was read.</param>
    public BuiltText Build(BuildManifest manifest, string data = "data") =>
        new CorpusBuilder(manifest, new PieceStore(_folder[$"{data}-pieces"]), _folder[$"{data}-texts"])
            .Run(1, null, CancellationToken.None);

    /// <summary>A corpus of a text, as <c>elastic corpus build</c> makes one.</summary>
    public BuiltCorpus Corpus(
        BuiltText text, string name = "corpus", double heldOut = 0.2, ShardSources of = ShardSources.Mixed) => Corpora.Build(
        _folder[name],
        DocumentBatches.Read(CorpusSources.Resolve([text.TextFolder]), new(), 1 << 20, of == ShardSources.InTurn, default)
            .SelectMany(batch => batch.Documents),
        heldOut: heldOut, of: of);

    /// <summary>Names and digests of all files.</summary>
    public static List<(string Name, string Hash)> FilesOf(string folder) =>
    [
        .. Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(f => (Path.GetRelativePath(folder, f), Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(f))))),
    ];

    public void Dispose() => _folder.Dispose();
}
