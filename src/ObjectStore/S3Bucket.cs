using System.Net;
using System.Runtime.CompilerServices;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Elastic.Foundation;

namespace Elastic.ObjectStore;

/// <summary>An object as it was found.</summary>
/// <param name="ETag">Tells it from any other one that the key has named or will name.</param>
public sealed record StoredObject(string Key, long Bytes, string ETag)
{
    /// <summary>The SHA-256 that it was stored with; null for none. Known of an object that was looked for, not of one in a list.</summary>
    public Digest? Digest { get; init; }
}

/// <summary>
/// The objects of a bucket. Each request is tried so often and no more, each wait for the store has a deadline, and what is read of an
/// object is of the one that was found, or an error. Safe for use by many at once.
/// </summary>
public sealed class S3Bucket : IDisposable
{
    /// <summary>Requests at once that a store takes without slowing down, and that fill a fast line.</summary>
    public const int AtOnce = 8;

    /// <summary>How long a store may say nothing.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    // A store that restarts is back within that.
    private const int Attempts = 5;

    // What is asked for in one request: each has its attempts, so that a break costs little, and a broken store cannot be asked for ever.
    private const long PieceBytes = 64 << 20;

    // Of the objects' own data, which every store keeps with them.
    private const string DigestName = "x-amz-meta-sha256";

    private readonly S3Address _address;
    private readonly AmazonS3Client _client;

    /// <param name="address">Address of the bucket; whatever its key.</param>
    public S3Bucket(S3Address address)
    {
        ArgumentNullException.ThrowIfNull(address);
        _address = address;
        _client = new AmazonS3Client(ConfigOf(address));
    }

    /// <summary>The pauses between attempts.</summary>
    public Backoff Pause { get; init; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));

    /// <summary>
    /// Bytes of the parts that a longer file is stored in. The protocol wants at least 5 MiB, and stores of tests may want less.
    /// </summary>
    public long PartBytes { get; init; } = PieceBytes;

    /// <summary>The objects whose keys begin with a prefix, in the order of their keys' bytes.</summary>
    /// <exception cref="ObjectStoreException">The store does not list them.</exception>
    public async IAsyncEnumerable<StoredObject> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        string? token = null;
        do
        {
            var request = new ListObjectsV2Request { BucketName = _address.Bucket, Prefix = prefix, ContinuationToken = token };
            var page = await TryAsync(prefix, "cannot be listed", wait => _client.ListObjectsV2Async(request, wait.Token), cancel);
            foreach (var found in page.S3Objects ?? [])
                yield return new StoredObject(found.Key, found.Size ?? 0, found.ETag ?? "");
            token = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (token is not null);
    }

    /// <summary>An object as it is now.</summary>
    /// <param name="version">Null for the newest.</param>
    /// <exception cref="ObjectStoreException">There is none, or the store does not say.</exception>
    public async Task<StoredObject> FindAsync(string key, string? version, CancellationToken cancel)
    {
        var request = new GetObjectMetadataRequest { BucketName = _address.Bucket, Key = key, VersionId = version };
        var found = await TryAsync(key, "cannot be found", wait => _client.GetObjectMetadataAsync(request, wait.Token), cancel);
        var digest = found.Metadata[DigestName];
        return new StoredObject(key, found.ContentLength, found.ETag ?? "")
        {
            Digest = Foundation.Digest.IsDigest(digest) ? new Digest(digest) : null,
        };
    }

    /// <summary>Fetches an object into a file, of which the beginning may be there from an earlier time.</summary>
    /// <param name="found">What <paramref name="path"/> is a part of: another object wants another file.</param>
    /// <param name="version">As it was found by; null for the newest.</param>
    /// <exception cref="ObjectStoreException">It is another one by now, or the store does not give it; the file stays.</exception>
    public async Task FetchAsync(StoredObject found, string? version, string path, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(found);
        await using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
        if (file.Length > found.Bytes)
            file.SetLength(0);
        file.Seek(0, SeekOrigin.End);
        while (file.Position < found.Bytes)
        {
            var end = Math.Min(found.Bytes, file.Position + PieceBytes);
            await TryAsync(found.Key, "cannot be fetched", async wait =>
            {
                await FetchAsync(found, version, file, end, wait);
                return true;
            }, cancel);
        }
        file.Flush(flushToDisk: true);
    }

    /// <summary>The bytes of a small object.</summary>
    /// <exception cref="ObjectStoreException">There is none, it is longer, or the store does not give it.</exception>
    public async Task<byte[]> ReadAsync(string key, int most, CancellationToken cancel)
    {
        var found = await FindAsync(key, null, cancel);
        if (found.Bytes > most)
            throw new ObjectStoreException(
                StoreProblem.Refused, $"{_address.Named(key)} has {found.Bytes} bytes, and at most {most} are read");
        using var bytes = new MemoryStream();
        return await TryAsync(key, "cannot be fetched", async wait =>
        {
            await FetchAsync(found, null, bytes, found.Bytes, wait);
            return bytes.ToArray();
        }, cancel);
    }

    /// <summary>
    /// Stores a file, one that is longer than <see cref="PartBytes"/> in parts. An object is there as a whole or not at all.
    /// </summary>
    /// <exception cref="ObjectStoreException">The store does not take it.</exception>
    /// <exception cref="IOException">The file cannot be read: told at once, and not tried again.</exception>
    public Task PutAsync(string key, string path, CancellationToken cancel) => PutAsync(key, path, null, cancel);

    /// <param name="digest">The file's, which is stored with it; null for none.</param>
    /// <inheritdoc cref="PutAsync(string, string, CancellationToken)"/>
    public async Task PutAsync(string key, string path, Digest? digest, CancellationToken cancel)
    {
        if (new FileInfo(path).Length is var bytes && bytes > PartBytes)
            await new PartedUpload(_client, this, _address, key).RunAsync(path, bytes, digest, cancel);
        else
            await PutAsync(key, () => Open(path), digest, cancel);
    }

    /// <summary>Stores some bytes.</summary>
    /// <inheritdoc cref="PutAsync(string, string, CancellationToken)" path="/exception"/>
    public Task PutAsync(string key, byte[] bytes, CancellationToken cancel) =>
        PutAsync(key, () => new MemoryStream(bytes, writable: false), null, cancel);

    /// <summary>Deletes an object; one that is not there is deleted.</summary>
    /// <exception cref="ObjectStoreException">The store does not delete it.</exception>
    public Task DeleteAsync(string key, CancellationToken cancel) => TryAsync(key, "cannot be deleted", wait =>
        _client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = _address.Bucket, Key = key }, wait.Token), cancel);

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private async Task FetchAsync(StoredObject found, string? version, Stream into, long end, CancellationTokenSource wait)
    {
        if (into.Position == end)
            return;
        var request = new GetObjectRequest
        {
            BucketName = _address.Bucket,
            Key = found.Key,
            VersionId = version,
            ByteRange = new ByteRange(into.Position, end - 1),
            EtagToMatch = found.ETag,
        };
        using var response = await _client.GetObjectAsync(request, wait.Token);
        // Not every store looks at the condition.
        if (response.ETag != found.ETag)
            throw new ObjectStoreException(StoreProblem.Changed, "it is another object now");
        if (response.HttpStatusCode != HttpStatusCode.PartialContent && into.Position > 0)
            throw new ObjectStoreException(StoreProblem.Refused, "the store gives no parts of objects");
        var buffer = new byte[1 << 16];
        while (into.Position < end)
        {
            wait.CancelAfter(Patience);
            var count = await response.ResponseStream.ReadAsync(
                buffer.AsMemory(0, (int)Math.Min(buffer.Length, end - into.Position)), wait.Token);
            if (count == 0)
                throw new ObjectStoreException(StoreProblem.Unavailable, $"the connection ended after {into.Position} of {end} bytes");
            try
            {
                await into.WriteAsync(buffer.AsMemory(0, count), wait.Token);
            }
            catch (IOException e)
            {
                throw new LocalFileException(e);
            }
        }
    }

    internal static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException))
        {
            throw new LocalFileException(e);
        }
    }

    internal static void Describe(MetadataCollection metadata, Digest? digest)
    {
        if (digest is { } known)
            metadata[DigestName] = known.Hex;
    }

    private Task<PutObjectResponse> PutAsync(string key, Func<Stream> open, Digest? digest, CancellationToken cancel) => TryAsync(
        key, "cannot be stored", async wait =>
    {
        await using var bytes = new WatchedStream(open(), () => wait.CancelAfter(Patience));
        var request = new PutObjectRequest
        {
            BucketName = _address.Bucket,
            Key = key,
            InputStream = bytes,
            AutoCloseStream = false,
            // Not every store knows pieces that are signed one by one; the digest of the whole is a part of the signature.
            UseChunkEncoding = false,
        };
        Describe(request.Metadata, digest);
        return await _client.PutObjectAsync(request, wait.Token);
    }, cancel);

    /// <param name="key">Named in the error, before <paramref name="what"/>: "cannot be listed".</param>
    internal async Task<T> TryAsync<T>(
        string key, string what, Func<CancellationTokenSource, Task<T>> attempt, CancellationToken cancel)
    {
        for (var failures = 0; ; failures++)
        {
            using var wait = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            wait.CancelAfter(Patience);
            try
            {
                return await attempt(wait);
            }
            catch (Exception e) when (e is not LocalFileException && LocalFileException.In(e) is { InnerException: IOException cause })
            {
                throw new LocalFileException(cause);
            }
            catch (Exception e) when (
                !cancel.IsCancellationRequested && IsOfStore(e) && ObjectStoreException.Of(e, Patience) is { } failure)
            {
                if (failure.Problem != StoreProblem.Unavailable)
                    throw new ObjectStoreException(failure.Problem, $"{_address.Named(key)} {what}: {failure.Why}", e);
                if (failures + 1 == Attempts)
                    throw new ObjectStoreException(
                        failure.Problem, $"{_address.Named(key)} {what}: {failure.Why}, also when asked {Attempts} times", e);
            }
            await Task.Delay(Pause.After(failures), cancel);
        }
    }

    // A file that is not there, or fails, is the machine's affair.
    private static bool IsOfStore(Exception e) => e is not (FileNotFoundException or DirectoryNotFoundException or LocalFileException);

    private static AmazonS3Config ConfigOf(S3Address address)
    {
        var config = new AmazonS3Config
        {
            MaxErrorRetry = 0,
            Timeout = Timeout.InfiniteTimeSpan,
            // Other stores than AWS's know no checksums of that kind; signatures and digests take their place.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        // Of AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or the profile.
        var endpoint = address.Endpoint?.AbsoluteUri ?? config.ServiceURL;
        var region = address.Region ?? FallbackRegionFactory.GetRegionEndpoint(includeInstanceMetadata: false)?.SystemName ?? "us-east-1";
        if (endpoint is not null)
            (config.ServiceURL, config.AuthenticationRegion) = (endpoint, region);
        else
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        config.ForcePathStyle = address.PathStyle ?? endpoint is not null;
        return config;
    }
}
