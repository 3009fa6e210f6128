using System.Security.Cryptography;
using System.Text;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.ObjectStore;

namespace Elastic.Corpus;

/// <summary>
/// Fetches the files of a manifest that are on the web, in an S3-compatible store, or on other nodes, into a folder, once: a file that is
/// there with the digest that is wanted, or that was recorded when it was fetched, is not fetched again. What was fetched of a file before
/// an interruption is used.
/// </summary>
/// <param name="folder">Holds a folder for each URL.</param>
/// <param name="notice">Is told of each file that was fetched.</param>
/// <param name="handler">Sends requests; null for the web.</param>
public sealed class Downloads(string folder, Action<string> notice, HttpMessageHandler? handler = null)
{
    // Of each address: a server that restarts is back within that.
    private const int AttemptsOfAnAddress = 5;

    /// <summary>The pauses between attempts.</summary>
    internal Backoff Pause { get; init; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));

    /// <summary>How long a server may say nothing.</summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Where paths of nodes are read; null outside of a cluster, where there are none.</summary>
    public ISourceNodes? Nodes { get; init; }

    /// <summary>The manifest with files in the place of URLs and of paths of nodes.</summary>
    /// <exception cref="ElasticException">A file cannot be had, or is another one than is wanted.</exception>
    public async Task<BuildManifest> GetAsync(BuildManifest manifest, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        if (!manifest.Sources.SelectMany(s => s.Paths).Any(p => SourceUrl.Is(p) || NodePath.Of(p) is not null))
            return manifest;
        using var client = new HttpClient(
            handler ?? new SocketsHttpHandler { ConnectTimeout = Patience, MaxAutomaticRedirections = 10 }, handler is null)
        {
            // A file may take days; each wait for a part of it has a deadline of its own.
            Timeout = Timeout.InfiniteTimeSpan,
        };
        var (sources, unfetched) = (new List<SourceSettings>(), new List<string>());
        foreach (var source in manifest.Sources)
        {
            var paths = new List<string>();
            foreach (var path in source.Paths)
            {
                if (S3Address.Is(path))
                {
                    var objects = await new ObjectFiles(folder, notice, Pause).GetAsync(
                        S3Address.Parse(path, out var wrong) ?? throw new ElasticException(wrong), source, cancel);
                    paths.Add(objects.Path);
                    unfetched.AddRange(objects.Rejects);
                    continue;
                }
                if (NodePath.Of(path) is { } ofNode)
                {
                    var files = await new NodeFiles(folder, Nodes ?? throw new ElasticException(
                        $"{path} (source {source.Name}) is a path of a node: have the cluster build it (pbm corpus build), or name a path "
                        + "of this machine"), notice).GetAsync(ofNode, source, cancel);
                    paths.Add(files.Path);
                    unfetched.AddRange(files.Rejects);
                    continue;
                }
                paths.Add(!SourceUrl.Is(path) ? path : await GetAsync(client, SourceUrl.Parse(path, out var problem)
                    ?? throw new ElasticException(problem), source, cancel));
            }
            sources.Add(source with { Paths = paths });
        }
        return manifest with { Sources = sources, Unfetched = unfetched };
    }

    private async Task<string> GetAsync(HttpClient client, SourceUrl url, SourceSettings source, CancellationToken cancel)
    {
        var place = Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(url.Address.AbsoluteUri)))[..16]);
        Directory.CreateDirectory(place);
        var path = Path.Combine(place, Path.GetFileName(url.FileName));
        var record = path + ".sha256";
        if (File.Exists(path) && File.Exists(record) && (await File.ReadAllTextAsync(record, cancel)).Trim() is var recorded
            && (url.Digest is null || url.Digest.Value.Hex == recorded) && await HashAsync(path, cancel) == recorded)
            return path;
        var wanted = url.Digest?.Hex;
        List<Uri> addresses =
        [
            url.Address, .. source.Mirrors.Select(m => new Uri(new Uri(m.TrimEnd('/') + "/"), Uri.EscapeDataString(url.FileName))),
        ];
        var got = await TryAllAsync(client, addresses, path, wanted, (long)source.LargestDownloadGiB << 30, cancel);
        File.Move(path + Download.PartEnding, path, overwrite: true);
        DurableFile.WriteDurably(record, Encoding.ASCII.GetBytes(got + "\n"));
        notice(wanted is not null ? $"fetched {url.Address}"
            : $"fetched {url.Address}: its SHA-256 is {got}; write #sha256={got} behind the URL to take no other file");
        return path;
    }

    // The digest of what was fetched.
    private async Task<string> TryAllAsync(
        HttpClient client, List<Uri> addresses, string path, string? wanted, long most, CancellationToken cancel)
    {
        var problems = new Dictionary<Uri, string>();
        var given = new HashSet<Uri>();
        for (var attempt = 0; attempt < AttemptsOfAnAddress * addresses.Count && given.Count < addresses.Count; attempt++)
        {
            var address = addresses[attempt % addresses.Count];
            if (given.Contains(address))
                continue;
            try
            {
                var part = path + Download.PartEnding;
                var hadBytes = File.Exists(part) && new FileInfo(part).Length > 0;
                var download = new Download(client, address, path, wanted is not null, most, Patience);
                await download.RunAsync(cancel);
                var got = await HashAsync(part, cancel);
                if (hadBytes && wanted is not null && wanted != got)
                {
                    // Its beginning may be another server's, or of another version: this address is asked for the whole file.
                    File.Delete(part);
                    await download.RunAsync(cancel);
                    got = await HashAsync(part, cancel);
                }
                if (wanted is null || wanted == got)
                    return got;
                File.Delete(part);
                problems[address] = $"its file has the SHA-256 {got}, and {wanted} is wanted";
                given.Add(address);
            }
            catch (DownloadException e)
            {
                problems[address] = e.Message;
                if (e.IsFinal)
                    given.Add(address);
                else if (attempt + 1 < AttemptsOfAnAddress * addresses.Count)
                    await Task.Delay(Pause.After(attempt / addresses.Count), cancel);
            }
        }
        throw new ElasticException($"{addresses[0]} cannot be fetched: "
            + string.Join("; ", addresses.Where(problems.ContainsKey).Select(a => $"{a}: {problems[a]}"))
            + "; mend the URL, name mirrors, or fetch the file yourself and name its path (what was fetched of it is kept and used)");
    }

    private static async Task<string> HashAsync(string path, CancellationToken cancel)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        return (await Digest.OfAsync(file, cancel)).Hex;
    }
}
