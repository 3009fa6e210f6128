using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>Text by which source or stage it is counted.</summary>
/// <param name="Name">Name of the source or the stage.</param>
/// <param name="Documents">Documents.</param>
/// <param name="Bytes">UTF-8 bytes of their text.</param>
public sealed record TextShare(string Name, long Documents, long Bytes);

/// <summary>A file of a build.</summary>
/// <param name="Name">Its path in the build's folder, with '/'.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">SHA-256 of the file's bytes, in hexadecimal digits.</param>
public sealed record BuiltFile(string Name, long Bytes, string Sha256)
{
    /// <summary>A file that was just written, once it is on the disk.</summary>
    /// <param name="build">The folder that its name is in.</param>
    internal static BuiltFile Kept(string build, string path)
    {
        DurableFile.Flush(path);
        DurableFile.FlushFolder(Path.GetDirectoryName(path)!);
        using var written = File.OpenRead(path);
        return new BuiltFile(
            Path.GetRelativePath(build, path).Replace('\\', '/'), written.Length, Digest.Of(written).Hex);
    }
}

/// <summary>What a build came to; stored in its folder as <see cref="BuiltText.FileName"/>, written last.</summary>
/// <param name="Id">Digest of the manifest's stages and of the pieces.</param>
/// <param name="Read">Documents as they were read, by source in the order of the manifest.</param>
/// <param name="Kept">What stayed of them, the same.</param>
/// <param name="Dropped">What each stage dropped, in their order; then documents of which no text was left.</param>
/// <param name="Empty">Documents without text in the files.</param>
/// <param name="InvalidUtf8Sequences">Replaced by U+FFFD.</param>
/// <param name="Malformed">Records that could not be read.</param>
/// <param name="LostBytes">Bytes of these, as far as that is known.</param>
/// <param name="Unread">What was left out on purpose: it holds no text, or is blocked.</param>
public sealed record BuildReport(
    string Id, IReadOnlyList<TextShare> Read, IReadOnlyList<TextShare> Kept, IReadOnlyList<TextShare> Dropped,
    long Empty, long InvalidUtf8Sequences, long Malformed, long LostBytes, long Unread)
{
    /// <summary>The part of <see cref="Kept"/> that is for validation, and for tests, by source.</summary>
    public IReadOnlyList<TextShare> Validation { get; init; } = [];

    /// <inheritdoc cref="Validation"/>
    public IReadOnlyList<TextShare> Test { get; init; } = [];

    /// <summary>What was kept by language; "not known" for the rest.</summary>
    public IReadOnlyList<TextShare> Languages { get; init; } = [];

    /// <summary>What was kept by licence; "not said" for the rest.</summary>
    public IReadOnlyList<TextShare> Licences { get; init; } = [];

    /// <summary>What the stages that compare documents did not compare, each of them in the order of the manifest.</summary>
    public IReadOnlyList<LargeBuckets> LargeBuckets { get; init; } = [];

    /// <summary>
    /// By source the documents without a URL, where its block lists or the manifest's take-downs go by URLs and so did not reach them.
    /// </summary>
    public IReadOnlyList<TextShare> WithoutUrl { get; init; } = [];

    /// <summary>The stages with all their settings.</summary>
    public IReadOnlyList<string> Stages { get; init; } = [];

    /// <summary>All that the stages measure, as documents name it.</summary>
    public IReadOnlyList<string> Signals { get; init; } = [];

    /// <summary>All files but this one.</summary>
    public IReadOnlyList<BuiltFile> Files { get; init; } = [];

    /// <summary>A line for each source of which block lists and take-downs by URL let documents through, and what to do.</summary>
    public IEnumerable<string> NotReachedByUrl() => WithoutUrl.Select(source =>
        $"source {source.Name}: {Plural.Of(source.Documents, "document")} without a URL: neither block lists nor takedown.urls keep any of "
        + "them out; name the field that holds it with url-field");
}

/// <summary>
/// The folder of a build: kept text in <c>text</c>, from which corpora are made, dropped text, and what is known of each.
/// </summary>
/// <param name="Folder">Its full path.</param>
/// <param name="Report">What it came to.</param>
public sealed record BuiltText(string Folder, BuildReport Report)
{
    /// <summary>The report's name in the folder.</summary>
    public const string FileName = "build.json";

    internal const string Documents = "documents", Dropped = "dropped";

    /// <summary>What <c>--corpus</c> takes.</summary>
    public string TextFolder => FolderOf(Split.Train);

    /// <summary>The folder with the text of a part; there is none where the part is empty.</summary>
    public string FolderOf(Split split) => Path.Combine(Folder, NameOf(split));

    /// <summary>The build in a folder; null where there is no complete one.</summary>
    /// <exception cref="ElasticException">Its report is damaged.</exception>
    public static BuiltText? TryOpen(string folder)
    {
        var path = Path.Combine(folder, FileName);
        return File.Exists(path)
            ? new BuiltText(Path.GetFullPath(folder), PieceLines.Read<BuildReport>(File.ReadAllBytes(path), path)) : null;
    }

    /// <summary>The build whose training text is that folder; null where it is anything else.</summary>
    /// <exception cref="ElasticException">It is a build's, and the build's report cannot be read.</exception>
    public static BuiltText? OfTextFolder(string folder)
    {
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (Path.GetFileName(path) != NameOf(Split.Train) || Path.GetDirectoryName(path) is not { } build)
            return null;
        return OpenOwn(build, out var why) ?? (why is null || !IsOwn(build) ? null : throw new ElasticException(
            $"{path} is the text of a build whose report cannot be read ({OneLine.Of(why.Message)}): build the text again with its "
            + "manifest, or copy the folder to another place to train on it as on any text", why));
    }

    /// <summary>The build that wrote the files of a folder as one of its parts; null where no build did.</summary>
    internal static BuiltText? WithFilesIn(string folder) =>
        Enum.GetValues<Split>().Select(NameOf).Contains(Path.GetFileName(folder)) && Path.GetDirectoryName(folder) is { } build
            ? OpenOwn(build, out _) : null;

    // Folders of code have files of that name, too: of these it is no matter what is in them.
    private static BuiltText? OpenOwn(string build, out Exception? why)
    {
        why = null;
        try
        {
            return TryOpen(build);
        }
        catch (Exception e) when (e is ElasticException or IOException or UnauthorizedAccessException)
        {
            why = e;
            return null;
        }
    }

    // Named by its digest, as builds name their folders, or with the list of its documents.
    private static bool IsOwn(string build) =>
        Digest.IsDigest(Path.GetFileName(build)) || Directory.Exists(Path.Combine(build, Documents));

    /// <summary>The build that a corpus of these settings has all training text of, and no other; null for any other corpus.</summary>
    public static BuiltText? Of(CorpusSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var text = settings is
        {
            Sources: [var source], Include: [], Exclude: [], TextField: "text", AnswerField: null, ChatTemplate: ChatTemplate.None,
        }
            ? OfTextFolder(source) : null;
        return text is null || settings.Validation.Count == 0 || (settings.Validation is [var held]
            && Path.TrimEndingDirectorySeparator(Path.GetFullPath(held)) == text.FolderOf(Split.Validation)) ? text : null;
    }

    /// <summary>The settings of a corpus of this text.</summary>
    /// <param name="settings">What they say of the rest.</param>
    public CorpusSettings CorpusOf(CorpusSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var validation = FolderOf(Split.Validation);
        return settings with
        {
            Sources = [TextFolder],
            Validation = Directory.Exists(validation) ? [.. settings.Validation, validation] : settings.Validation,
            Include = [],
            Exclude = [],
            TextField = "text",
        };
    }

    /// <summary>A line of each document that was read, in key order.</summary>
    /// <param name="cancel">Looked at with each of them.</param>
    /// <exception cref="ElasticException">A file is damaged.</exception>
    public IEnumerable<BuiltDocument> Rows(CancellationToken cancel = default) => Lines<BuiltDocument>(Documents, cancel);

    /// <summary>The texts of a part, in key order.</summary>
    /// <exception cref="ElasticException">A file is damaged.</exception>
    public IEnumerable<BuiltRecord> Records(Split split) => Lines<BuiltRecord>(NameOf(split));

    /// <summary>The texts that were dropped, in key order.</summary>
    /// <exception cref="ElasticException">A file is damaged.</exception>
    public IEnumerable<BuiltRecord> DroppedRecords() => Lines<BuiltRecord>(Dropped);

    internal static string NameOf(Split split) => split switch
    {
        Split.Validation => "validation",
        Split.Test => "test",
        _ => "text",
    };

    private IEnumerable<T> Lines<T>(string name, CancellationToken cancel = default)
    {
        var folder = Path.Combine(Folder, name);
        if (!Directory.Exists(folder))
            yield break;
        foreach (var path in Directory.GetFiles(folder, "*.jsonl.zst").Order(StringComparer.Ordinal))
        {
            foreach (var line in ZstdLines.Read(path, int.MaxValue, why => new ElasticException(
                $"{path} is damaged ({OneLine.Of(why)}): delete its build and build it again"), cancel))
                yield return PieceLines.Read<T>(line, path);
        }
    }
}
