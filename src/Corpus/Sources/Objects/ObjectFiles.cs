using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.ObjectStore;

namespace Elastic.Corpus;

/// <summary>
/// Brings the objects of a source in an S3-compatible store into a folder: those that are there already are not fetched again, what was
/// fetched of one before an interruption is used, and what the store has no more goes. Each is the object that was found by its ETag, or
/// none at all.
/// </summary>
/// <param name="folder">Holds a folder for each address.</param>
/// <param name="notice">Is told of what was fetched.</param>
/// <param name="pause">Between attempts.</param>
internal sealed class ObjectFiles(string folder, Action<string> notice, Backoff pause)
{
    // Of a source, so that a bucket of any size takes bounded memory: a hundred bytes each.
    private const int MostObjects = 4_000_000;

    private const int ProblemsSaid = 20;

    /// <summary>Fetches an object, or all of a prefix or a pattern that the source wants.</summary>
    /// <returns>The file or the folder, and a line for each object that cannot be had, and for what is passed over.</returns>
    /// <exception cref="ElasticException">
    /// The store does not give them, or the source says to stop at the first that cannot be had.
    /// </exception>
    public async Task<(string Path, IReadOnlyList<string> Rejects)> GetAsync(
        S3Address address, SourceSettings source, CancellationToken cancel)
    {
        // Of the source, too: another one may want other objects of the same prefix.
        var name = NameOf($"{source.Name} {address.Endpoint} {address.Bucket} {address.Key} {address.Version}");
        var place = new ObjectFolder(Path.Combine(folder, name));
        using var bucket = new S3Bucket(address) { Pause = pause };
        var rejects = new List<string>();
        var isOne = IsOne(address);
        var found = isOne ? [(FileNameOf(address.Key), await bucket.FindAsync(address.Key, address.Version, cancel))]
            : await FindAsync(bucket, address, source, rejects, cancel);
        place.Retain(found.Select(f => KeyValuePair.Create(f.Name, f.Object)));
        var problems = new List<(string Name, ObjectStoreException Problem)>();
        var (fetched, bytes) = (0, 0L);
        await Parallel.ForEachAsync(
            found, new ParallelOptions { MaxDegreeOfParallelism = S3Bucket.AtOnce, CancellationToken = cancel }, async (file, stop) =>
            {
                if (await TakeAsync(bucket, place, address, source, file.Name, file.Object, stop) is not { } result)
                    return;
                lock (problems)
                {
                    if (result.Problem is { } problem)
                        problems.Add((file.Name, problem));
                    else
                        (fetched, bytes) = (fetched + 1, bytes + file.Object.Bytes);
                }
            });
        if (isOne && problems.Count > 0)
            throw new ElasticException($"source {source.Name}: {problems[0].Problem.Message}");
        // A text is named after what could not be had of its sources, and not after the store: people hear of that here.
        foreach (var (_, problem) in problems.OrderBy(p => p.Name, StringComparer.Ordinal).Take(ProblemsSaid))
            notice($"source {source.Name}: {problem.Message}");
        rejects.AddRange(problems.Select(p => $"source {source.Name}: {p.Name} cannot be fetched: {WhyOf(p.Problem.Problem)}"));
        rejects.Sort(StringComparer.Ordinal);
        if (fetched > 0)
            notice($"fetched {fetched} of {found.Count} objects of {address}, {ByteSize.Text(bytes)}");
        return (isOne ? place.FileOf(found[0].Name) : place.Files, rejects);
    }

    private static bool IsOne(S3Address address) =>
        !address.Key.Contains('*', StringComparison.Ordinal) && DocumentFormats.Of(address.Key) is not null;

    private static string FileNameOf(string key) => key[(key.LastIndexOf('/') + 1)..];

    private static async Task<List<(string Name, StoredObject Object)>> FindAsync(
        S3Bucket bucket, S3Address address, SourceSettings source, List<string> rejects, CancellationToken cancel)
    {
        if (address.Version is not null || address.Digest is not null)
            throw new ElasticException(
                $"{address} is a prefix, and version= and #sha256= are of one object: name objects, or leave them out");
        var star = address.Key.IndexOf('*', StringComparison.Ordinal);
        var isPattern = star >= 0;
        var root = isPattern ? address.Key[..(address.Key.LastIndexOf('/', star) + 1)] : address.Folder;
        var search = new ObjectSearch(source);
        var count = 0;
        await foreach (var found in bucket.ListAsync(isPattern ? address.Key[..star] : root, cancel))
        {
            if (++count > MostObjects)
                throw new ElasticException($"{address} holds more than {MostObjects} objects: make several sources of it");
            if (!isPattern || FileSystemName.MatchesSimpleExpression(address.Key, found.Key, ignoreCase: false))
                search.Add(found.Key[root.Length..], found);
        }
        rejects.AddRange(search.Unusable.Select(name =>
            $"source {source.Name}: {name} has a key that no file can have: copy the object under another one"));
        if (search.Found.Count == 0)
            throw new ElasticException(
                $"{address} holds no object that the source {source.Name} reads ({count} are there): mend the prefix, include or exclude");
        if (source.OnReject == RejectPolicy.Stop && rejects.Count > 0)
            throw new ElasticException(rejects[0]);
        if (search.PassedOver.ToString() is { Length: > 0 } passedOver)
            rejects.Add($"source {source.Name}: {passedOver}");
        return [.. search.Found.Select(f => (f.Key, f.Value))];
    }

    // Null where it is there already.
    private static async Task<(bool Fetched, ObjectStoreException? Problem)?> TakeAsync(
        S3Bucket bucket, ObjectFolder place, S3Address address, SourceSettings source, string name, StoredObject found,
        CancellationToken cancel)
    {
        if (found.Bytes > (long)source.LargestDownloadGiB << 30)
            throw new ElasticException(
                $"{address.Named(found.Key)} has {found.Bytes} bytes: set largest-download of its source, if it may");
        if (await place.HasAsync(name, found, address.Digest, cancel))
            return null;
        try
        {
            var part = place.PartOf(found);
            await bucket.FetchAsync(found, address.Version, part, cancel);
            var digest = await ObjectFolder.HashAsync(part, cancel);
            if (address.Digest is { } wanted && wanted != digest)
            {
                File.Delete(part);
                throw new ElasticException($"{address} has the SHA-256 {digest.Hex}, and {wanted.Hex} is wanted: mend the address");
            }
            place.Keep(name, found, digest, part);
            return (true, null);
        }
        catch (ObjectStoreException e) when (e.IsOfObject && source.OnReject == RejectPolicy.Continue)
        {
            place.Forget(name, found);
            return (false, e);
        }
    }

    private static string WhyOf(StoreProblem problem) => problem switch
    {
        StoreProblem.Changed => "it is another object now",
        StoreProblem.Archived => "it is in an archive: restore it first",
        _ => "there is no such object",
    };

    private static string NameOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];
}
