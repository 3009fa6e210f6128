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
        FindHere(blob) is { } bytes && bytes.Length <= mostBytes && Digest.Of(bytes) == blob
            ? bytes
            : await fetcher.ReadAsync(blob, mostBytes, cancel);

    protected byte[]? FindHere(Digest blob)
    {
        try
        {
            return here.Find(blob) is { } path ? File.ReadAllBytes(path) : null;
        }
        catch (IOException)
        {
            return null;                                               // its job has just removed it
        }
    }
}
