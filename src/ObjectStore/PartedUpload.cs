using System.Collections.Concurrent;
using System.Globalization;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Elastic.Foundation;

namespace Elastic.ObjectStore;

/// <summary>
/// Stores a long file in parts, several at once: a part that breaks off is sent again, and not the file. The object is there when the store
/// has joined all of them; where it is not, the store is told to forget them.
/// </summary>
internal sealed class PartedUpload(AmazonS3Client client, S3Bucket bucket, S3Address address, string key)
{
    // The protocol's limits.
    private const int MostParts = 10_000;
    private const long LargestObject = 5L << 40;

    // Tells the object of this upload from any other one under its key, also from one of the same bytes.
    private const string OwnName = "x-amz-meta-upload";
    private readonly string _own = Guid.NewGuid().ToString("n");

    // What a store is given to forget: a person may be waiting for the error.
    private static readonly TimeSpan PatienceOfAbort = TimeSpan.FromSeconds(10);

    /// <param name="bytes">The file's, which is longer than a part.</param>
    /// <param name="digest">Stored with the object; null for none.</param>
    /// <exception cref="ObjectStoreException">The store does not take it.</exception>
    public async Task RunAsync(string path, long bytes, Digest? digest, CancellationToken cancel)
    {
        if (bytes > LargestObject)
            throw new ObjectStoreException(StoreProblem.Refused, $"{path} has {bytes} bytes, and the largest object of a store has "
                + $"{LargestObject}: {address.Named(key)} is not stored; split the file");
        var request = new InitiateMultipartUploadRequest { BucketName = address.Bucket, Key = key };
        S3Bucket.Describe(request.Metadata, digest);
        request.Metadata[OwnName] = _own;
        var begun = await bucket.TryAsync(
            key, "cannot be stored", wait => client.InitiateMultipartUploadAsync(request, wait.Token), cancel);
        try
        {
            var parts = await SendAsync(begun.UploadId, path, bytes, cancel);
            var join = new CompleteMultipartUploadRequest
            {
                BucketName = address.Bucket,
                Key = key,
                UploadId = begun.UploadId,
                PartETags = [.. parts],
            };
            var isAskedBefore = false;
            await bucket.TryAsync(key, "cannot be stored", async wait =>
            {
                try
                {
                    await client.CompleteMultipartUploadAsync(join, wait.Token);
                }
                catch (AmazonS3Exception e) when (e.ErrorCode == "NoSuchUpload" && isAskedBefore)
                {
                    // The parts are gone where the store joined them, and its answer was lost: the object says whether it did.
                    if (!await IsJoinedAsync(wait.Token))
                        throw;
                }
                finally
                {
                    isAskedBefore = true;
                }
                return true;
            }, cancel);
        }
        catch
        {
            await ForgetAsync(begun.UploadId);
            throw;
        }
    }

    private async Task<bool> IsJoinedAsync(CancellationToken cancel)
    {
        var found = await client.GetObjectMetadataAsync(
            new GetObjectMetadataRequest { BucketName = address.Bucket, Key = key }, cancel);
        return found.Metadata[OwnName] == _own;
    }

    private async Task<IEnumerable<PartETag>> SendAsync(string upload, string path, long bytes, CancellationToken cancel)
    {
        var size = Math.Max(bucket.PartBytes, (bytes + MostParts - 1) / MostParts);
        var sent = new ConcurrentBag<PartETag>();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, checked((int)((bytes + size - 1) / size))),
            new ParallelOptions { MaxDegreeOfParallelism = S3Bucket.AtOnce, CancellationToken = cancel }, async (number, stop) =>
            {
                var (from, length) = (number * size, Math.Min(size, bytes - number * size));
                var answer = await bucket.TryAsync(
                    key, string.Create(CultureInfo.InvariantCulture, $"cannot be stored (part {number + 1})"), async wait =>
                    {
                        await using var file = new WatchedStream(S3Bucket.Open(path), () => wait.CancelAfter(S3Bucket.Patience));
                        file.Seek(from, SeekOrigin.Begin);
                        return await client.UploadPartAsync(new UploadPartRequest
                        {
                            BucketName = address.Bucket,
                            Key = key,
                            UploadId = upload,
                            PartNumber = number + 1,
                            PartSize = length,
                            InputStream = file,
                            UseChunkEncoding = false,
                        }, wait.Token);
                    }, stop);
                sent.Add(new PartETag(number + 1, answer.ETag));
            });
        return sent.OrderBy(p => p.PartNumber);
    }

    // What the store keeps of an upload costs its owner money. Where it does not answer, its own rules delete it some day.
    private async Task ForgetAsync(string upload)
    {
        using var deadline = new CancellationTokenSource(PatienceOfAbort);
        try
        {
            await client.AbortMultipartUploadAsync(
                new AbortMultipartUploadRequest { BucketName = address.Bucket, Key = key, UploadId = upload }, deadline.Token);
        }
        catch (Exception e) when (
            e is AmazonClientException or AmazonServiceException or OperationCanceledException or HttpRequestException or IOException)
        {
            // The first error is the one to tell.
        }
    }
}
