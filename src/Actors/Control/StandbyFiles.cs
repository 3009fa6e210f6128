using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Control;

/// <summary>
/// Fetches the files of another seed's build. That seed names digests, and what they stand for may be of any size: no file is taken that is
/// larger than the build's sources and documents let it be, or than a share of the free disk.
/// </summary>
/// <param name="folder">Takes the files; made where it is missing.</param>
/// <param name="most">Bytes of a file of texts or documents, at most: <see cref="PieceBounds.OfSources"/>.</param>
/// <param name="free">Bytes that are free on the folder's disk.</param>
internal sealed class StandbyFiles(BlobFetcher fetcher, string folder, string build, long most, Func<long> free)
{
    /// <summary>Files that may be fetched at once.</summary>
    public const int AtOnce = 4;

    // Those that come at once take half of what is free together.
    private const int ShareOfFree = 2 * AtOnce;

    /// <summary>Fetches the files of a piece that was read.</summary>
    /// <returns>Their paths.</returns>
    /// <exception cref="ElasticException">One of them cannot be had, or is larger than it may be.</exception>
    public async Task<(string Texts, string Documents)> PieceAsync(Digest texts, Digest documents, CancellationToken cancel)
    {
        var listed = await FetchAsync(documents, most, "its sources allow", cancel);
        var said = await Task.Run(() => PieceBounds.OfTexts(listed, cancel), cancel);
        return (await FetchAsync(texts, Math.Min(most, said), "its documents allow", cancel), listed);
    }

    /// <summary>Fetches the tokens of a piece of the text.</summary>
    /// <returns>The path of their file.</returns>
    /// <exception cref="ElasticException">It cannot be had, or is larger than it may be.</exception>
    public Task<string> TokensAsync(Digest tokens, CancellationToken cancel) =>
        FetchAsync(tokens, TokenPiece.MostBytes, "a piece of a text allows", cancel);

    private async Task<string> FetchAsync(Digest file, long allowed, string by, CancellationToken cancel)
    {
        var path = Path.Combine(Directory.CreateDirectory(folder).FullName, file.Hex);
        if (free() / ShareOfFree is var room && room < allowed)
            (allowed, by) = (room, "the free disk allows");
        try
        {
            await fetcher.FetchFileAsync(file, path, allowed, cancel);
        }
        catch (BlobLostException e)
        {
            throw new ElasticException(
                $"{path} is not fetched for the build {build}, where {by} {ByteSize.Text(allowed)}: {e.Message}", e);
        }

        return path;
    }
}
