using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Transfer;

namespace Elastic.Actors.Nodes;

/// <summary>
/// The files of the sources of a build that another node asks for: seen here where the asker sees them, below <c>node.corpus-roots</c>, or
/// fetched from the asker. A file that was fetched stays while pieces of it are read. Thread-safe.
/// </summary>
/// <param name="folder">Takes what is fetched.</param>
internal sealed class BuildSources(IReadOnlyList<string> roots, BlobFetcher fetcher, string folder)
{
    private const long MostBytes = 1L << 44;

    private readonly Lock _gate = new();
    private readonly Dictionary<Digest, int> _uses = [];
    // A file is read for its digest once, however many of its pieces wait for that.
    private readonly Dictionary<string, (DateTime Written, Lazy<Digest> Content)> _seen = [];

    /// <summary>Refuses a file of this machine that no other node may have read here.</summary>
    /// <exception cref="ElasticException">It is not below the roots.</exception>
    public void Allow(string path)
    {
        if (!RealPath.IsBelow(path, roots))
            throw new ElasticException($"{path} is not below this node's node.corpus-roots ({Shown}): put it there on all nodes, or leave "
                + "the reading to the node that builds");
    }

    /// <summary>Does something with the bytes of a file, at the path where they are here.</summary>
    /// <param name="cancel">Ends the build, and so the reading of a large file for its digest.</param>
    public async Task<T> WithAsync<T>(SharedPiece piece, Func<string, Task<T>> read, CancellationToken cancel)
    {
        if (RealPath.IsBelow(piece.Path, roots) && await Task.Run(() => Seen(piece, cancel), cancel) is var (path, written))
        {
            var result = await read(path);
            // The bytes that were read were those that the piece is named after.
            return File.GetLastWriteTimeUtc(path) == written ? result
                : throw new ElasticException($"{piece.Path} changed while it was read: build again when nothing writes to it any more");
        }
        var content = new Digest(piece.Content);
        Use(content);
        try
        {
            var copy = PathOf(content);
            if (!File.Exists(copy))
                await fetcher.FetchFileAsync(content, copy, MostBytes, cancel);
            return await read(copy);
        }
        finally
        {
            lock (_gate)
                _uses[content]--;
        }
    }

    private string Shown => roots.Count == 0 ? "empty" : string.Join(", ", roots);

    private string PathOf(Digest content) => Path.Combine(folder, content.Hex);

    // Pieces of a file come one after the other: what none uses when another file is needed, is not needed any more.
    private void Use(Digest content)
    {
        lock (_gate)
        {
            Directory.CreateDirectory(folder);
            foreach (var over in _uses.Where(u => u.Value == 0 && u.Key != content).Select(u => u.Key).ToList())
            {
                File.Delete(PathOf(over));
                _uses.Remove(over);
            }
            _uses[content] = _uses.GetValueOrDefault(content) + 1;
        }
    }

    // The real path of a file that has the same bytes here; a part of another one would not be noticed.
    private (string Path, DateTime Written)? Seen(SharedPiece piece, CancellationToken cancel)
    {
        try
        {
            var path = RealPath.Of(piece.Path);
            if (new FileInfo(path) is not { Exists: true } file || file.Length != piece.Length)
                return null;
            var written = file.LastWriteTimeUtc;
            return ContentOf(path, written, cancel).Hex == piece.Content ? (path, written) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private Digest ContentOf(string path, DateTime written, CancellationToken cancel)
    {
        (DateTime Written, Lazy<Digest> Content) seen;
        lock (_gate)
        {
            if (!_seen.TryGetValue(path, out seen) || seen.Written != written)
                _seen[path] = seen = (written, new Lazy<Digest>(() => DigestOf(path, cancel)));
        }
        try
        {
            return seen.Content.Value;
        }
        catch
        {
            // It keeps its exception: whoever asks next is to try again.
            lock (_gate)
            {
                if (_seen.GetValueOrDefault(path).Content == seen.Content)
                    _seen.Remove(path);
            }
            throw;
        }
    }

    private static Digest DigestOf(string path, CancellationToken cancel)
    {
        // A pipe would be waited for.
        using var stream = new FileStream(RegularFile.Open(path, out _), FileAccess.Read);
        return Digest.Of(stream, cancel);
    }
}
