using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>Text by which source or stage it is counted.</summary>
/// <param name="Name">Of the source or the stage.</param>
/// <param name="Documents">Documents.</param>
/// <param name="Bytes">UTF-8 bytes of their text.</param>
public sealed record TextShare(string Name, long Documents, long Bytes);

/// <summary>What a build came to; stored in its folder as <see cref="BuiltText.FileName"/>, written last.</summary>
/// <param name="Id">Digest of the manifest's stages and of the pieces.</param>
/// <param name="Read">Documents as they were read, by source in the order of the manifest.</param>
/// <param name="Kept">What stayed of them, the same.</param>
/// <param name="Dropped">What each stage dropped, in their order; the last row has documents of which no text was left.</param>
/// <param name="Empty">Documents without text in the files.</param>
/// <param name="InvalidUtf8Sequences">Replaced by U+FFFD.</param>
/// <param name="Malformed">Records that could not be read.</param>
/// <param name="LostBytes">Bytes of these, as far as that is known.</param>
/// <param name="Unread">What was left out on purpose: it holds no text, or is blocked.</param>
public sealed record BuildReport(
    string Id, IReadOnlyList<TextShare> Read, IReadOnlyList<TextShare> Kept, IReadOnlyList<TextShare> Dropped,
    long Empty, long InvalidUtf8Sequences, long Malformed, long LostBytes, long Unread);

/// <summary>
/// The folder of a build: kept text in <c>text</c>, from which corpora are made, dropped text, and what is known of each.
/// </summary>
/// <param name="Folder">Its full path.</param>
/// <param name="Report">What it came to.</param>
public sealed record BuiltText(string Folder, BuildReport Report)
{
    /// <summary>The report's name in the folder.</summary>
    public const string FileName = "build.json";

    /// <summary>The folder's name of what is held out.</summary>
    internal const string Validation = "validation";

    /// <summary>What <c>corpus.validation</c> takes; null where no source is held out.</summary>
    public string? ValidationFolder => Path.Combine(Folder, Validation) is var folder && Directory.Exists(folder) ? folder : null;

    /// <summary>What <c>--corpus</c> takes.</summary>
    public string TextFolder => Path.Combine(Folder, "text");

    /// <summary>The build in a folder; null where there is no complete one.</summary>
    /// <exception cref="ElasticException">Its report is damaged.</exception>
    public static BuiltText? TryOpen(string folder)
    {
        var path = Path.Combine(folder, FileName);
        return File.Exists(path)
            ? new BuiltText(Path.GetFullPath(folder), PieceLines.Read<BuildReport>(File.ReadAllBytes(path), path)) : null;
    }
}
