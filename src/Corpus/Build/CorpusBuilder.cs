using System.Runtime.ExceptionServices;
using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>How far a build is.</summary>
/// <param name="Documents">Documents in the pieces that are read.</param>
/// <param name="Bytes">Bytes of the files of the pieces that are read.</param>
/// <param name="OfBytes">Bytes of all files.</param>
public sealed record BuildProgress(long Documents, long Bytes, long OfBytes);

/// <summary>
/// Makes clean text of the sources of a manifest: reads each piece through the stages (many at once; what was read before is used again),
/// lets the stages decide, and writes what stays and what goes, in key order. The bytes that it writes follow from the manifest and the
/// sources' files: neither threads nor an interruption show.
/// </summary>
/// <param name="store">What was read; shared by all builds.</param>
/// <param name="texts">The folder with a folder for each build.</param>
public sealed class CorpusBuilder(BuildManifest manifest, PieceStore store, string texts)
{
    /// <summary>Raised with each change to what a build writes.</summary>
    private const int Version = 2;

    /// <summary>Builds the text, unless it is there.</summary>
    /// <param name="threads">Pieces that are read at once.</param>
    /// <exception cref="ElasticException">A source cannot be read, or nothing is left.</exception>
    public BuiltText Run(int threads, IProgress<BuildProgress>? progress, CancellationToken cancel)
    {
        var pieces = SourcePiece.Of(manifest).ToList();
        var id = IdentityOf(pieces);
        var folder = Path.Combine(texts, id.Hex);
        if (BuiltText.TryOpen(folder) is { } built)
            return built;
        Read(pieces, threads, progress, cancel);
        using var build = new BuildFolder(folder, BuiltText.FileName);
        var work = Path.Combine(build.Current, "work");
        using (var decisions = new Decisions(work))
        {
            using (var all = new DocumentTexts(store, pieces, work))
                decisions.Make(manifest.Stages, () => Stopping(pieces.SelectMany(store.Documents), cancel), all);
            using var writer = new TextWriters(build.Current, id, manifest);
            using var fates = decisions.InOrder(manifest.Stages.Count).GetEnumerator();
            foreach (var piece in pieces)
            {
                cancel.ThrowIfCancellationRequested();
                var documents = store.Documents(piece).ToList();
                foreach (var (document, text) in documents.Zip(store.Texts(piece, documents)))
                {
                    if (!fates.MoveNext())
                        throw new InvalidOperationException("there are more documents than decisions");
                    writer.Append(document, text, fates.Current.Stage, fates.Current.Match);
                }
                writer.Append(store.Summary(piece));
            }
            writer.Complete();
        }
        Directory.Delete(work, recursive: true);
        build.Complete();
        return BuiltText.TryOpen(folder)
            ?? throw new ElasticException($"{folder} went away while it was made: give the same command again");
    }

    private static IEnumerable<PieceDocument> Stopping(IEnumerable<PieceDocument> documents, CancellationToken cancel)
    {
        foreach (var document in documents)
        {
            cancel.ThrowIfCancellationRequested();
            yield return document;
        }
    }

    private Digest IdentityOf(List<SourcePiece> pieces) => CorpusIdentity.OfTexts(
    [
        $"build {Version}", .. pieces.Select(p => $"{p.Source} {p.Identity.Hex}"), .. manifest.Stages.Select(s => s.Identity),
    ]);

    private void Read(List<SourcePiece> pieces, int threads, IProgress<BuildProgress>? progress, CancellationToken cancel)
    {
        var sizes = pieces.Select(p => p.File.Length).ToList();
        var (documents, bytes, all, gate) = (0L, 0L, sizes.Sum(), new Lock());
        try
        {
            Parallel.For(0, pieces.Count, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancel }, i =>
            {
                var found = store.Has(pieces[i]) ? store.Summary(pieces[i]) : store.Read(pieces[i], manifest, cancel);
                lock (gate)
                {
                    (documents, bytes) = (documents + found.Documents, bytes + sizes[i]);
                    progress?.Report(new BuildProgress(documents, bytes, all));
                }
            });
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<ElasticException>().FirstOrDefault() is { } problem)
        {
            ExceptionDispatchInfo.Throw(problem);
        }
    }
}
