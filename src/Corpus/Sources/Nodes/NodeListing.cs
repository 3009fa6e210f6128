using Elastic.Corpus.Build;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>A file of a node that may belong to a source.</summary>
/// <param name="Name">Below the path that was asked for, with '/'.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">SHA-256 of the file's bytes; empty where its name says that it holds no text.</param>
public sealed record ListedFile(string Name, long Bytes, string Sha256);

/// <summary>What a node has below a path, as it tells another one.</summary>
/// <param name="IsFile">The path is a file.</param>
/// <param name="Files">In no order.</param>
/// <param name="Unread">
/// A line for each file or folder that cannot be read, or leads out of what others may read. It names them below the path: it becomes a
/// part of a text, which is the same one from whatever node.
/// </param>
public sealed record NodeListing(bool IsFile, IReadOnlyList<ListedFile> Files, IReadOnlyList<string> Unread)
{
    /// <summary>Bytes of a listing, at most.</summary>
    public const int MostBytes = 256 << 20;

    /// <summary>Lists a file, or what is below a folder of this machine, and reads all of it for the digests.</summary>
    /// <param name="path">A full path.</param>
    /// <param name="roots">What other nodes may have: links are followed first, so that none leads out of it.</param>
    /// <param name="found">
    /// Is called with each file that may be fetched, where it really is, and its state when it began to be read for the digest.
    /// </param>
    /// <param name="cancel">Ends the reading, also in the midst of a file.</param>
    /// <exception cref="ElasticException">The path is not below the roots, or is not there.</exception>
    public static NodeListing Take(
        string path, IReadOnlyList<string> roots, Action<Digest, string, FileState?> found, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(roots);
        ArgumentNullException.ThrowIfNull(found);
        if (!RealPath.IsBelow(path, roots))
            throw new ElasticException($"{OneLine.Of(path, 200)} is not below this node's node.corpus-roots "
                + $"({(roots.Count == 0 ? "empty" : string.Join(", ", roots))}): name a path below, or start the node with another "
                + "node.corpus-roots");
        var (files, unread) = (new List<ListedFile>(), new List<string>());
        if (File.Exists(path))
            Add(path, Path.GetFileName(path));
        else if (Directory.Exists(path))
            Walk();
        else
            throw new ElasticException($"{OneLine.Of(path, 200)} is not on this node: mend the path, or put it there");
        return new NodeListing(File.Exists(path), files, unread);

        void Walk()
        {
            var folders = new Stack<string>([path]);
            while (folders.TryPop(out var next))
            {
                try
                {
                    foreach (var (entry, isFolder, isLink) in FolderSearch.EntriesOf(next))
                    {
                        cancel.ThrowIfCancellationRequested();
                        if (!isFolder)
                            Add(entry, NameOf(entry));
                        else if (!isLink)                              // a link to a folder may lead in circles
                            folders.Push(entry);
                    }
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    unread.Add($"{NameOf(next)} cannot be read to its end ({SourceFile.WithoutPath(e)})");
                }
            }
        }

        void Add(string file, string name)
        {
            var real = file;
            try
            {
                real = RealPath.Of(file);
                if (!RealPath.IsBelow(real, roots))
                    unread.Add($"{name} leads out of what its node lets others read (node.corpus-roots)");
                else if (DocumentFormats.Of(name) is null && !LicenceText.IsName(Path.GetFileName(name)))
                    files.Add(new ListedFile(name, new FileInfo(real).Length, ""));
                else
                {
                    var state = FileState.Of(real);
                    // A pipe would be waited for.
                    using var stream = new FileStream(RegularFile.Open(real, out _), FileAccess.Read);
                    var digest = Digest.Of(stream, cancel);
                    files.Add(new ListedFile(name, stream.Length, digest.Hex));
                    found(digest, real, state);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                unread.Add($"{name} cannot be read ({SourceFile.WithoutPath(e).Replace(real, name, StringComparison.Ordinal)})");
            }
        }

        string NameOf(string entry) => Path.GetRelativePath(path, entry).Replace(Path.DirectorySeparatorChar, '/');
    }

    /// <summary>As it travels.</summary>
    /// <exception cref="ElasticException">It is too long to be sent.</exception>
    public byte[] Write() => PieceLines.Of(this) is { Length: <= MostBytes } bytes ? bytes
        : throw new ElasticException($"there are {Files.Count} files, and their list is too long to be sent: make several sources of them");

    /// <summary>What <see cref="Write"/> wrote.</summary>
    /// <exception cref="ElasticException">It is no listing.</exception>
    public static NodeListing Read(ReadOnlySpan<byte> bytes)
    {
        var listing = PieceLines.Read<NodeListing>(bytes, "the list of the files of a node");
        return listing.Files.All(f => f is { Name: not null, Bytes: >= 0 } && (f.Sha256 is "" || Digest.IsDigest(f.Sha256))) ? listing
            : throw new ElasticException("the list of the files of a node is damaged: build the corpus again");
    }
}
