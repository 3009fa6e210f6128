using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Corpora;

/// <summary>
/// Brings the corpus of a run back into a data directory from nodes that hold it: what is missing or damaged here is fetched, every byte
/// verified. The shards that evaluation reads are fetched, too: the node that owns the directory needs them.
/// </summary>
internal static class CorpusRepair
{
    /// <param name="manifest">SHA-256 of the corpus's manifest, by which nodes serve it; null where the journal does not have it.</param>
    /// <param name="nodes">Data planes.</param>
    /// <returns>The files that were fetched.</returns>
    /// <exception cref="ElasticException">The nodes did not give a file; the message names it, and what each node answered.</exception>
    public static async Task<IReadOnlyList<string>> RunAsync(
        DataPaths paths, Digest id, Digest? manifest, IReadOnlyList<Endpoint> nodes, Transport transport, CancellationToken cancel)
    {
        var peers = new Peers();
        peers.Set(nodes);
        using var fetcher = new BlobFetcher(peers, transport);
        var fetched = new List<string>();
        var corpus = Open(paths.FetchedCorpus(id), manifest) ?? Open(paths.Corpus(id), manifest)
            ?? BuiltCorpus.FindGrowing(paths.FetchedCorpus(id), id, manifest) ?? BuiltCorpus.FindGrowing(paths.Corpus(id), id, manifest);
        if (corpus is null)
        {
            var digest = manifest ?? throw new ElasticException(
                $"the journal does not say how to fetch the corpus {id.Short}: copy {paths.Corpus(id)} here");
            var path = Path.Combine(paths.FetchedCorpus(id), CorpusManifest.FileName);
            corpus = BuiltCorpus.Receive(
                paths.FetchedCorpus(id), id,
                await GivenAsync(path, () => fetcher.ReadAsync(digest, CorpusFiles.MostManifestBytes, cancel)));
            fetched.Add(corpus.ManifestPath);
        }

        foreach (var file in corpus.Files.Where(f => f.Problem() is not null))
            fetched.Add(await GivenAsync(file.Path, async () =>
            {
                await fetcher.FetchFileAsync(file.Sha256, file.Path, file.MostBytes, cancel);
                return file.Path;
            }));
        return fetched;

        async Task<T> GivenAsync<T>(string path, Func<Task<T>> fetch)
        {
            try
            {
                return await fetch();
            }
            catch (BlobLostException e)
            {
                throw new ElasticException(
                    $"{path} cannot be fetched ({e.Message}): name a node that has it with --from; where none has it, remove "
                    + $"{Path.GetDirectoryName(path)} and build the corpus again from its text (elastic corpus build)", e);
            }
        }
    }

    // Null where there is none that can be used: then it is fetched.
    private static BuiltCorpus? Open(string folder, Digest? manifest)
    {
        try
        {
            if (!BuiltCorpus.TryOpen(folder, out var corpus))
                return null;
            var found = Digest.Of(File.ReadAllBytes(Path.Combine(folder, CorpusManifest.FileName)));
            return manifest is null || manifest == found ? corpus : null;
        }
        catch (ElasticException)
        {
            return null;
        }
    }
}
