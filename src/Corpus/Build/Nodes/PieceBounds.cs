using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>
/// How large the files of a build's pieces may be, for a machine that takes them from the one that builds and does not read the sources:
/// that one's word alone would fill the disk.
/// </summary>
public static class PieceBounds
{
    /// <summary>
    /// Bytes of a file of texts or documents of one piece, at most, by the files that the manifest names. One that is elsewhere counts as
    /// what the manifest lets be fetched.
    /// </summary>
    /// <exception cref="ElasticException">A source is not on this machine, or holds no supported file.</exception>
    public static long OfSources(BuildManifest manifest, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return PieceStore.MostBytesOf(manifest.Sources.Max(source => LargestOf(source, cancel)));
    }

    /// <summary>Bytes of the file of texts of a piece, at most, by its file of documents.</summary>
    /// <param name="documents">Path of that file.</param>
    /// <exception cref="ElasticException">It is none.</exception>
    public static long OfTexts(string documents, CancellationToken cancel)
    {
        var (bytes, frames, last) = (0L, 0L, -1L);
        try
        {
            foreach (var (line, isLast) in PieceLines.Lines(
                documents, ReceivedPiece.MostLineBytes, why => new InvalidDataException(why), cancel))
            {
                if (isLast || PieceLines.Parse<PieceDocument>(line) is not { Bytes: > 0 } document)
                    continue;
                bytes += document.Bytes;
                frames += document.Frame == last ? 0 : 1;
                last = document.Frame;
            }
        }
        catch (Exception e) when (e is InvalidDataException or JsonException)
        {
            throw new ElasticException($"{documents} is no list of the documents of a piece ({OneLine.Of(e.Message)})", e);
        }

        return TextFrames.MostBytesOf(bytes, frames);
    }

    private static long LargestOf(SourceSettings source, CancellationToken cancel)
    {
        var here = source.Paths.Where(p => !SourceUrl.Is(p) && NodePath.Of(p) is null).ToList();
        var elsewhere = here.Count < source.Paths.Count ? (long)source.LargestDownloadGiB << 30 : 0;
        if (here.Count == 0)
            return elsewhere;
        var found = CorpusSources.Find(source.Reading() with { Sources = here }, allFormats: true, rejects: [], cancel);
        return found.Files.Select(f => f.Length).Append(elsewhere).Max();
    }
}
