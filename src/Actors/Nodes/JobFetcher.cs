using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Nodes;

/// <summary>Brings the blobs of a job that are missing on this node. Thread-safe.</summary>
/// <param name="here">All blobs of this process, those of other jobs, too.</param>
/// <param name="fetcher">Fetches from other nodes.</param>
internal class JobFetcher(BlobLocations here, BlobFetcher fetcher)
{
    protected BlobFetcher Others => fetcher;

    /// <inheritdoc cref="BlobFetcher.ReceivedBytes"/>
    public long ReceivedBytes => fetcher.ReceivedBytes;

    /// <summary>Reads a small blob from here, or else from another node, without storing it.</summary>
    /// <param name="mostBytes">A longer blob is refused.</param>
    /// <exception cref="BlobLostException">No node has it.</exception>
    public async Task<byte[]> ReadAsync(Digest blob, int mostBytes, CancellationToken cancel) =>
        Read(await here.FindAsync(blob, cancel)) is { } bytes && bytes.Length <= mostBytes && Digest.Of(bytes) == blob
            ? bytes
            : await fetcher.ReadAsync(blob, mostBytes, cancel);

    /// <summary>A blob of any job's store, as of a set of vectors; null where none has it.</summary>
    protected byte[]? FindStored(Digest blob) => Read(here.FindStored(blob));

    private static byte[]? Read(string? path)
    {
        try
        {
            return path is null ? null : File.ReadAllBytes(path);
        }
        catch (IOException)
        {
            return null;                                               // its job has just removed it
        }
    }
}
