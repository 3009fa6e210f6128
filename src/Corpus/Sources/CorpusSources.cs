using System.IO.Enumeration;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Turns <c>corpus.sources</c> into files, in an order that does not depend on the file system.</summary>
public static class CorpusSources
{
    private const string Supported = ".txt .md .xml .html .htm .jsonl .jsonl.zst .parquet .bin";

    // Hidden files and folders (.git) belong to no corpus. A folder that may not be read is an error: a corpus that silently lacks a part
    // of its text is another corpus.
    private static readonly EnumerationOptions Recursive = new()
    {
        RecurseSubdirectories = true,
        IgnoreInaccessible = false,
        AttributesToSkip = FileAttributes.Hidden | FileAttributes.System,
    };

    /// <summary>The files of <paramref name="sources"/>, ordered by name; the default corpus where the list is empty.</summary>
    /// <exception cref="ElasticException">A source is missing, not supported, or holds no supported file.</exception>
    public static IReadOnlyList<SourceFile> Resolve(IReadOnlyList<string> sources)
    {
        ArgumentNullException.ThrowIfNull(sources);
        if (sources.Count == 0)
            return DefaultCorpus.Find();
        // Files of the same name keep the order of their sources (OrderBy is stable); a file named twice is read once.
        var files = sources.SelectMany(Expand).DistinctBy(f => f.Path).OrderBy(f => f.Name, StringComparer.Ordinal).ToList();
        if (files.Find(f => f.Format == DocumentFormat.LlmcShard) is { } shard
            && files.Find(f => f.Format != DocumentFormat.LlmcShard) is { } text)
            throw new ElasticException($"corpus.sources mixes token shards ({shard.Path}) with text ({text.Path}): use one or the other");
        return files;
    }

    /// <summary>True where the files are token shards already: see <see cref="LlmcCorpus"/>.</summary>
    public static bool AreTokenShards(IReadOnlyList<SourceFile> files) => files is [{ Format: DocumentFormat.LlmcShard }, ..];

    /// <summary>The format by the file's name; null for one that is not supported.</summary>
    internal static DocumentFormat? FormatOf(string path)
    {
        if (path.EndsWith(".jsonl.zst", StringComparison.OrdinalIgnoreCase))
            return DocumentFormat.JsonLinesZstandard;
        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".txt" or ".md" => DocumentFormat.Text,
            ".xml" => DocumentFormat.Xml,
            ".html" or ".htm" => DocumentFormat.Html,
            ".jsonl" => DocumentFormat.JsonLines,
            ".parquet" => DocumentFormat.Parquet,
            ".bin" => DocumentFormat.LlmcShard,
            _ => null,
        };
    }

    private static IEnumerable<SourceFile> Expand(string source)
    {
        var path = Path.GetFullPath(source);
        if (File.Exists(path))
        {
            var format = FormatOf(path)
                ?? throw new ElasticException(
                    $"corpus source {source} is not supported: use a file of {Supported}, or a folder of such files");
            return [new SourceFile(path, Path.GetFileName(path), format)];
        }
        if (!Directory.Exists(path))
            throw new ElasticException(
                $"corpus source {source} does not exist: " +
                "name a file or folder of text, or leave corpus.sources empty for the default corpus");
        var files = FilesIn(path, path);
        return files.Count > 0
            ? files
            : throw new ElasticException($"corpus source {source} holds no file of {Supported}: name a folder with text");
    }

    /// <summary>
    /// The supported files below <paramref name="folder"/>, named relative to <paramref name="root"/>, in no order. Follows links to files,
    /// but not links to folders, because these may lead in circles, or to the same text twice.
    /// </summary>
    /// <exception cref="ElasticException">A folder may not be read.</exception>
    internal static IReadOnlyList<SourceFile> FilesIn(string folder, string root)
    {
        var paths = new FileSystemEnumerable<string>(folder, (ref FileSystemEntry entry) => entry.ToFullPath(), Recursive)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory,
            ShouldRecursePredicate = (ref FileSystemEntry entry) => !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
        };
        try
        {
            return
            [
                .. from path in paths
                   let format = FormatOf(path)
                   where format is not null
                   select new SourceFile(path, Path.GetRelativePath(root, path).Replace(Path.DirectorySeparatorChar, '/'), format.Value),
            ];
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new ElasticException(
                $"corpus folder {folder} cannot be read to its end ({e.Message}): mend that, or name other sources", e);
        }
    }
}
