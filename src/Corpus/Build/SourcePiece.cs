using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>
/// What one thread, or one node, reads in one go: a file of a source, or a part of one. What comes of it follows from the file's bytes and
/// the stages alone, so it is stored under a digest of these and found again by every build that has the same.
/// </summary>
/// <param name="Source">The source's number in the manifest.</param>
/// <param name="File">With the digest of its content.</param>
/// <param name="OfFile">Digest of all that decides the documents of the whole file, their texts and signals.</param>
/// <param name="Identity">Digest of all that decides the documents of the piece.</param>
public sealed record SourcePiece(int Source, SourceFile File, Digest OfFile, Digest Identity)
{
    /// <summary>Raised with each change to how pieces are read or stored.</summary>
    private const int Version = 5;

    /// <summary>Documents that are read of it at most.</summary>
    public long Limit { get; init; } = long.MaxValue;

    /// <summary>Bytes of its file that are its own, roughly: for people.</summary>
    public long Bytes { get; init; } = File.Length;

    /// <summary>This piece, of which only the first documents are read.</summary>
    public SourcePiece Of(long limit)
    {
        var ofFile = CorpusIdentity.OfTexts([OfFile.Hex, $"limit {limit}"]);
        return this with { Limit = limit, OfFile = ofFile, Identity = ofFile };
    }

    /// <summary>The pieces of a source in key order. Reads every file once, to name it after its content.</summary>
    /// <param name="rank">The source's number in the manifest.</param>
    /// <param name="size">How large parts of files are.</param>
    /// <param name="rejects">Takes a line for each file or folder that cannot be read, and for what is passed over.</param>
    /// <param name="threads">Files that are read at once; 1 to read each file when its pieces are asked for.</param>
    /// <param name="step">Is called before each file, by the thread that reads it; null for nobody.</param>
    /// <param name="cancel">Ends the listing, also in the middle of a file.</param>
    /// <exception cref="ElasticException">A source is missing, not supported, or holds no supported file.</exception>
    public static IEnumerable<SourcePiece> Of(
        BuildManifest manifest, int rank, PartSize size, ICollection<string> rejects, int threads = 1, Action? step = null,
        CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(rejects);
        return Find(manifest, rank, size, rejects, threads, step, cancel);
    }

    private static IEnumerable<SourcePiece> Find(
        BuildManifest manifest, int rank, PartSize size, ICollection<string> rejects, int threads, Action? step, CancellationToken cancel)
    {
        var source = manifest.Sources[rank];
        var blocks = BlockList.Read(source.BlockLists);
        var goesOn = source.OnReject == RejectPolicy.Continue;
        var unread = new List<string>();
        var found = CorpusSources.Find(source.Reading(blocks), allFormats: true, goesOn ? unread : null, cancel);
        // Folders are listed in no order.
        foreach (var line in unread.Order(StringComparer.Ordinal))
            rejects.Add($"source {source.Name}: {line}");
        if (found.PassedOver.ToString() is { Length: > 0 } passedOver)
            rejects.Add($"source {source.Name}: {passedOver}");
        if (found.Files.FirstOrDefault(f => f.Format == DocumentFormat.LlmcShard) is { } tokens)
            throw new ElasticException($"{tokens.Path} (source {source.Name}) holds tokens, and stages read text: leave it out");
        foreach (var (pieces, reject) in InOrder(found.Files, threads, Named, cancel))
        {
            if (reject is not null)
                rejects.Add($"source {source.Name}: {reject}");
            foreach (var piece in pieces)
                yield return piece;
        }

        (IReadOnlyList<SourcePiece> Pieces, string? Reject) Named(SourceFile of)
        {
            step?.Invoke();
            var file = of with { Reading = source.Of(of.Reading, blocks, manifest.Fields), State = FileState.Of(of.Path), Cancel = cancel };
            try
            {
                return (PiecesOf(file, manifest, rank, size), null);
            }
            catch (RejectedFileException e) when (goesOn)
            {
                return ([], e.Message);
            }
        }
    }

    private static IReadOnlyList<SourcePiece> PiecesOf(SourceFile file, BuildManifest manifest, int rank, PartSize size)
    {
        var (content, reading) = CorpusIdentity.OfFile(file);
        var whole = file with { Content = content };
        var ofFile = IdentityOf(whole, reading, manifest.Sources[rank], manifest);
        var parts = FileParts.Of(whole, size);
        // Who reads a piece says what ends that.
        whole = whole with { Cancel = default };
        return parts.Count == 0 ? [new SourcePiece(rank, whole, ofFile, ofFile)] :
        [
            .. parts.Select(part => new SourcePiece(rank, whole with { Part = part }, ofFile, IdentityOf(ofFile, part))
            {
                Bytes = whole.Length / parts.Count,
            }),
        ];
    }

    private static IEnumerable<T> InOrder<T>(
        IReadOnlyList<SourceFile> files, int threads, Func<SourceFile, T> read, CancellationToken cancel)
    {
        if (threads == 1)
            return files.Select(read);
        var all = new T[files.Count];
        Parallels.For(all.Length, threads, i => all[i] = read(files[i]), cancel);
        return all;
    }

    private static Digest IdentityOf(Digest ofFile, FilePart part) =>
        CorpusIdentity.OfTexts([ofFile.Hex, string.Create(
            System.Globalization.CultureInfo.InvariantCulture, $"part {part.Number} {part.Skip} {part.Length} {part.LinesBefore}")]);

    private static Digest IdentityOf(SourceFile file, IReadOnlyList<string> reading, SourceSettings source, BuildManifest manifest) =>
        CorpusIdentity.OfTexts(
        [
            $"piece {Version} {CorpusIdentity.FormatVersion}", source.Name, file.Name, $"{file.Format} {file.Packing}",
            file.Content!.Value.Hex,
            source.UrlField, source.DateField, source.LanguageField,
            source.Licence ?? "", source.Language ?? "", source.Subsets ? "subsets" : "", string.Join('\n', reading),
            .. manifest.Stages.Select(stage => stage.ReadingIdentity),
        ]);
}
