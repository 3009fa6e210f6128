using System.Diagnostics.CodeAnalysis;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// A complete corpus folder, or what is finished of one that is being built for runs that read it meanwhile. A folder without a manifest is
/// no corpus.
/// </summary>
public sealed class BuiltCorpus
{
    private const string GrowingPrefix = "growing-";

    // Nodes fetch a manifest by its digest moments after it was published.
    private const int MostGrowing = 8;

    private BuiltCorpus(string folder, CorpusManifest manifest, Digest digest) =>
        (Folder, Manifest, ManifestDigest) = (folder, manifest, digest);

    /// <summary>The full path of the folder.</summary>
    public string Folder { get; }

    /// <summary>The contents.</summary>
    public CorpusManifest Manifest { get; }

    /// <inheritdoc cref="CorpusManifest.Id"/>
    public Digest Id => Manifest.Id;

    /// <inheritdoc cref="CorpusManifest.IsGrowing"/>
    public bool IsGrowing => Manifest.IsGrowing;

    /// <summary>SHA-256 of the manifest's bytes, by which nodes fetch it.</summary>
    public Digest ManifestDigest { get; }

    /// <summary>The file that the contents were read from. Of a corpus that is being built, newer ones take its place.</summary>
    public string ManifestPath => PathOf(Folder, Manifest);

    /// <inheritdoc cref="CorpusManifest.TrainShards"/>
    public IReadOnlyList<ShardInfo> TrainShards => Manifest.TrainShards;

    /// <inheritdoc cref="CorpusManifest.HeldOutShards"/>
    public IReadOnlyList<ShardInfo> HeldOutShards => Manifest.HeldOutShards;

    /// <exception cref="ElasticException">The corpus does not exist, has another version, or is damaged.</exception>
    public static BuiltCorpus Open(string folder)
    {
        var path = Path.GetFullPath(folder);
        var manifest = Path.Combine(path, CorpusManifest.FileName);
        if (!File.Exists(manifest))
            throw new ElasticException(CorpusManifest.WhyTakenDown(path) ??
                $"no corpus in {path}: {CorpusManifest.FileName} is missing; build it with \"elastic corpus build\"");
        var bytes = File.ReadAllBytes(manifest);
        var contents = CorpusManifest.FromJson(bytes, manifest);
        return contents.IsGrowing
            ? throw new ElasticException($"{manifest} is of a corpus that was being built when it was copied: delete it and fetch it again")
            : new BuiltCorpus(path, contents, Digest.Of(bytes));
    }

    /// <summary>What is finished of a corpus that is being built; null where there is no such thing.</summary>
    /// <param name="manifest">SHA-256 of the manifest that is wanted; null for the newest.</param>
    /// <exception cref="ElasticException">The folder holds another corpus, or a manifest is damaged.</exception>
    public static BuiltCorpus? FindGrowing(string folder, Digest id, Digest? manifest = null)
    {
        var path = Path.GetFullPath(folder);
        foreach (var name in GrowingManifests(path).Reverse())
        {
            byte[] bytes;
            try
            {
                bytes = File.ReadAllBytes(name);
            }
            catch (FileNotFoundException)
            {
                continue;                                              // its builder has just removed it: there are newer ones
            }
            var corpus = new BuiltCorpus(path, CorpusManifest.FromJson(bytes, name), Digest.Of(bytes));
            if (manifest is { } wanted && corpus.ManifestDigest != wanted)
                continue;
            if (corpus.TrainShards.Count > 0)
                return corpus.Id == id ? corpus : throw Another(path, corpus.Id, id);
        }
        return null;
    }

    /// <summary>The manifests of what was finished, oldest first: their names hold the number of shards.</summary>
    internal static IEnumerable<string> GrowingManifests(string folder) => Directory.Exists(folder)
        ? Directory.GetFiles(folder, GrowingPrefix + "*.json").OrderBy(f => f.Length).ThenBy(f => f, StringComparer.Ordinal) : [];

    /// <summary>Removes the manifests that others have long outdated: each holds all that are before it.</summary>
    internal static void RemoveOutdated(string folder)
    {
        foreach (var outdated in GrowingManifests(Path.GetFullPath(folder)).SkipLast(MostGrowing))
            File.Delete(outdated);
    }

    /// <summary>Where the manifest of these contents is.</summary>
    internal static string PathOf(string folder, CorpusManifest manifest) => Path.Combine(
        folder, manifest.IsGrowing ? $"{GrowingPrefix}{manifest.TrainShards.Count:00000}.json" : CorpusManifest.FileName);

    /// <summary>Returns false where there is no complete corpus; a damaged manifest is still an error.</summary>
    public static bool TryOpen(string folder, [NotNullWhen(true)] out BuiltCorpus? corpus)
    {
        corpus = File.Exists(Path.Combine(folder, CorpusManifest.FileName)) ? Open(folder) : null;
        return corpus is not null;
    }

    /// <summary>Returns false where there is no complete corpus; an error where it is not the corpus <paramref name="id"/>.</summary>
    /// <exception cref="ElasticException">The folder holds another corpus.</exception>
    public static bool TryOpen(string folder, Digest id, [NotNullWhen(true)] out BuiltCorpus? corpus) =>
        TryOpen(folder, out corpus) && (corpus.Id == id ? true : throw Another(corpus.Folder, corpus.Id, id));

    /// <summary>Makes the folder of the corpus <paramref name="id"/> from a manifest that came from another node.</summary>
    /// <exception cref="ElasticException">The bytes are no manifest, or that of another corpus; nothing was written.</exception>
    public static BuiltCorpus Receive(string folder, Digest id, byte[] manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var received = CorpusManifest.FromJson(manifest, Path.Combine(Path.GetFullPath(folder), CorpusManifest.FileName));
        if (received.Id != id)
            throw Another(folder, received.Id, id);
        Directory.CreateDirectory(folder);
        DurableFile.WriteDurably(PathOf(Path.GetFullPath(folder), received), manifest);
        RemoveOutdated(folder);
        return new BuiltCorpus(Path.GetFullPath(folder), received, Digest.Of(manifest));
    }

    private static ElasticException Another(string where, Digest found, Digest asked) => new(
        $"{where} is the corpus {found.Short}, and the run was started on {asked.Short}: start the run again, which names its corpus anew");

    /// <summary>The path of a shard of this corpus.</summary>
    public string ShardPath(ShardInfo shard)
    {
        ArgumentNullException.ThrowIfNull(shard);
        return Path.Combine(Folder, shard.FileName);
    }

    /// <summary>The path of the copy of the tokenizer's file.</summary>
    public string TokenizerPath => Path.Combine(Folder, TokenizerFile.FileName);

    /// <summary>The copies of the tokenizer's file and of the chat template that came with it, as far as there are any.</summary>
    public IEnumerable<CorpusFile> FilesOfTokenizer
    {
        get
        {
            if (Manifest.TokenizerFile is { } tokenizer)
                yield return new CorpusFile(TokenizerPath, tokenizer, FileTokenizer.LargestFile);
            if (Manifest.ChatTemplate is { } chat)
                yield return new CorpusFile(Path.Combine(Folder, ChatFolder.FileName), chat, FileTokenizer.LargestFile);
        }
    }

    /// <summary>All files besides the manifest: the tokenizer's, if it has any, and the shards.</summary>
    public IEnumerable<CorpusFile> Files =>
    [
        .. FilesOfTokenizer,
        .. HeldOutShards.Concat(TrainShards).Select(s => new CorpusFile(ShardPath(s), s.Sha256, s.MostFileBytes)),
    ];

    /// <summary>
    /// The first lines of what reading has noted (<see cref="MalformedRecord"/>), and where the others are; none where the corpus was built
    /// elsewhere: notes do not travel.
    /// </summary>
    public IReadOnlyList<string> Remarks(string fileName, int most)
    {
        var path = Path.Combine(Folder, fileName);
        if (!File.Exists(path))
            return [];
        var lines = File.ReadLines(path).Take(most + 1).ToList();
        return lines.Count <= most ? lines : [.. lines.Take(most), $"more in {path}"];
    }

    /// <summary>Hashes every file and compares with the manifest: one sentence for each that differs, with its path.</summary>
    public IEnumerable<string> Problems() => Files.Select(f => f.Problem()).OfType<string>();
}

/// <summary>A file of a corpus, as its manifest describes it.</summary>
/// <param name="MostBytes">A peer that names more bytes is not believed.</param>
public sealed record CorpusFile(string Path, Digest Sha256, long MostBytes)
{
    /// <summary>Hashes the file and compares with the manifest: a sentence where it differs, with its path.</summary>
    public string? Problem()
    {
        if (!File.Exists(Path))
            return $"{Path} is missing";
        using var file = File.OpenRead(Path);
        var found = Digest.Of(file);
        return found == Sha256 ? null : $"{Path} has SHA-256 {found.Short}…, the manifest says {Sha256.Short}…";
    }
}
