using ZstdSharp;

namespace Elastic.Corpus.Build;

/// <summary>Files of lines in a folder of a build, packed: "kept-00000.jsonl.zst", "kept-00001.jsonl.zst" … Not thread-safe.</summary>
internal sealed class TextSeries : IDisposable
{
    internal const long LinesBytes = 256L << 20;
    private const int Level = 3;

    private readonly string _build;
    private readonly string _folder;
    private readonly string _kind;
    private readonly List<BuiltFile> _files = [];
    private CompressionStream? _open;
    private string _path = "";
    private long _bytes;

    /// <param name="build">The build's folder.</param>
    /// <param name="name">The folder in it, made with the first line; empty for the build's folder itself.</param>
    /// <param name="kind">What the files' names begin with.</param>
    public TextSeries(string build, string name, string kind) => (_build, _folder, _kind) = (build, Path.Combine(build, name), kind);

    public void Write<T>(T line)
    {
        _open ??= Next();
        var bytes = PieceLines.Of(line);
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
        (_path, _bytes) = (Path.Combine(_folder, $"{_kind}-{_files.Count:00000}.jsonl.zst"), 0);
        return new CompressionStream(
            new FileStream(_path, FileMode.CreateNew, FileAccess.Write, FileShare.None), Level, leaveOpen: false);
    }
}
