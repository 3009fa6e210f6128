using System.Text.RegularExpressions;
using ZstdSharp;

namespace Elastic.Corpus.Build;

/// <summary>
/// Files of lines in a folder of a build, packed: "documents-00000.jsonl.zst", "documents-00001.jsonl.zst" …, or of one source each:
/// "kept-00000-00000.jsonl.zst", in which the source's number comes first. Not thread-safe.
/// </summary>
internal sealed class TextSeries : IDisposable
{
    internal const long LinesBytes = 256L << 20;
    private const int Level = 3;

    private static readonly Regex OfSource = new(
        @"\A(?<source>.*kept(-[0-9]{5})?)-[0-9]{5}\.jsonl\.zst\z",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture);

    private readonly string _build;
    private readonly string _folder;
    private readonly string _kind;
    private readonly List<BuiltFile> _files = [];
    private CompressionStream? _open;
    private string _path = "";
    private string _source = "";
    private long _bytes;

    /// <param name="build">The build's folder.</param>
    /// <param name="name">The folder in it, made with the first line; empty for the build's folder itself.</param>
    /// <param name="kind">What the files' names begin with.</param>
    public TextSeries(string build, string name, string kind) => (_build, _folder, _kind) = (build, Path.Combine(build, name), kind);

    /// <summary>
    /// What files of one source have in common, by their name, e.g. "kept-00003"; of a build of an earlier version all files have "kept".
    /// Null for a file that is none of these.
    /// </summary>
    public static string? SourceOf(string name) => OfSource.Match(name) is { Success: true } match ? match.Groups["source"].Value : null;

    /// <summary>What is written from now on is of another source, and goes to files of its own.</summary>
    /// <param name="number">Higher than those before it: files have the order of their names.</param>
    public void Begin(int number)
    {
        Close();
        _source = $"{number:00000}-";
    }

    public void Write<T>(T line)
    {
        _open ??= Next();
        var bytes = PieceLines.OfText(line);
        _open.Write(bytes);
        _open.WriteByte((byte)'\n');
        _bytes += bytes.Length + 1;
        if (_bytes >= LinesBytes)
            Close();
    }

    /// <summary>Closes the last file.</summary>
    /// <returns>All files.</returns>
    public IReadOnlyList<BuiltFile> Complete()
    {
        Close();
        return _files;
    }

    public void Dispose() => _open?.Dispose();

    private void Close()
    {
        if (_open is null)
            return;
        _open.Dispose();
        _open = null;
        _files.Add(BuiltFile.Kept(_build, _path));
    }

    private CompressionStream Next()
    {
        Directory.CreateDirectory(_folder);
        (_path, _bytes) = (Path.Combine(_folder, $"{_kind}-{_source}{_files.Count:00000}.jsonl.zst"), 0);
        return new CompressionStream(
            new FileStream(_path, FileMode.CreateNew, FileAccess.Write, FileShare.None), Level, leaveOpen: false);
    }
}
