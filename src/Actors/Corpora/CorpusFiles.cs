using System.Collections.Concurrent;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Transfer;

namespace Elastic.Actors.Corpora;

/// <summary>
/// The corpora of a node: built here, on a disk that nodes share, or fetched from other nodes: the manifest first, each shard when it is
/// first read. Thread-safe.
/// </summary>
internal sealed class CorpusFiles(DataPaths paths, BlobLocations locations, BlobFetcher fetcher)
{
    internal const int MostManifestBytes = 64 << 20;

    private readonly ConcurrentDictionary<Digest, BuiltCorpus> _corpora = new();
    private readonly OpenShards _open = new();

    /// <summary>
    /// Opens the corpus; shards may still be missing here. Of one that is being built, what <paramref name="manifest"/> names; where no
    /// node has it any more, the newest that is here.
    /// </summary>
    /// <param name="manifest">Digest by which the manifest is fetched where this node lacks it; null where any part of a corpus that is
    /// being built will do.</param>
    /// <exception cref="ElasticException">The corpus is not here and cannot be fetched, or is damaged.</exception>
    public async Task<BuiltCorpus> OpenAsync(Digest id, Digest? manifest, CancellationToken cancel)
    {
        if (_corpora.TryGetValue(id, out var known) && (!known.IsGrowing || manifest is null))
            return known;
        if (!BuiltCorpus.TryOpen(paths.Corpus(id), id, out var corpus) && !BuiltCorpus.TryOpen(paths.FetchedCorpus(id), id, out corpus)
            && (corpus = BuiltCorpus.FindGrowing(paths.Corpus(id), id, manifest)
                ?? BuiltCorpus.FindGrowing(paths.FetchedCorpus(id), id, manifest)) is null)
        {
            var digest = manifest ?? throw new ElasticException(
                $"the corpus {id.Short} is not on this node, and the run's journal does not say how to fetch it: "
                + $"copy {paths.Corpus(id)} here");
            try
            {
                var bytes = await fetcher.ReadAsync(digest, MostManifestBytes, cancel);
                corpus = BuiltCorpus.Receive(paths.FetchedCorpus(id), id, bytes);
            }
            catch (BlobLostException)
                when ((corpus = BuiltCorpus.FindGrowing(paths.Corpus(id), id) ?? BuiltCorpus.FindGrowing(paths.FetchedCorpus(id), id))
                    is not null)
            {
                // A corpus that is being built never loses shards: what is here is a part of it, too.
            }
        }

        locations.Add(corpus);
        return _corpora.AddOrUpdate(id, corpus, (_, other) => Further(other, corpus));
    }

    /// <summary>The one of the two that has all of the other: shards come to a corpus that is being built, and none goes.</summary>
    public static BuiltCorpus Further(BuiltCorpus one, BuiltCorpus other) =>
        !one.IsGrowing || (other.IsGrowing && one.TrainShards.Count >= other.TrainShards.Count) ? one : other;

    /// <summary>Fetches every shard that is not here yet, and the tokenizer's file.</summary>
    /// <exception cref="BlobLostException">No node has one of the files at the moment.</exception>
    public async Task CompleteAsync(BuiltCorpus corpus, CancellationToken cancel)
    {
        foreach (var file in corpus.Files.Where(f => !File.Exists(f.Path)))
            await fetcher.FetchFileAsync(file.Sha256, file.Path, file.MostBytes, cancel);
    }

    /// <summary>
    /// Puts copies of the tokenizer's file, where the tokenizer came from one, and of its chat template, where one was used, into a
    /// folder: a run's checkpoints can be read as text as long as they are there, with the corpus or without it.
    /// </summary>
    /// <exception cref="BlobLostException">No node has a file at the moment.</exception>
    public async Task CopyTokenizerAsync(BuiltCorpus corpus, string folder, CancellationToken cancel)
    {
        foreach (var file in corpus.FilesOfTokenizer)
        {
            var copy = Path.Combine(folder, Path.GetFileName(file.Path));
            if (File.Exists(copy))
                continue;
            if (!File.Exists(file.Path))
                await fetcher.FetchFileAsync(file.Sha256, file.Path, file.MostBytes, cancel);
            Directory.CreateDirectory(folder);
            DurableFile.WriteDurably(copy, await File.ReadAllBytesAsync(file.Path, cancel));
        }
    }

    /// <summary>Deletes all that this node has of a corpus.</summary>
    /// <returns>Bytes of its files.</returns>
    /// <exception cref="ElasticException">It is being built here.</exception>
    /// <exception cref="IOException">A file cannot be deleted.</exception>
    public long Delete(Digest id)
    {
        string[] folders = [.. paths.AllCorpora.Select(f => Path.Combine(f, id.Hex)), paths.FetchedCorpus(id)];
        if (folders.FirstOrDefault(BuildFolder.HasBuilder) is { } growing)
            throw new ElasticException($"{growing} is being built: wait until that is done, or stop it");
        _corpora.TryRemove(id, out _);
        var bytes = 0L;
        foreach (var folder in folders.Where(f => Directory.Exists(Path.GetDirectoryName(f))))
        {
            _open.Forget(folder);
            bytes += BuildFolder.Remove(folder);
            CorpusTexts.Forget(folder);
        }

        // A file of the same bytes may be another corpus's, too, e.g. the tokenizer's.
        foreach (var other in _corpora.Values)
            locations.Add(other);
        return bytes;
    }

    /// <summary>Opens a shard, and fetches it first where it is missing.</summary>
    /// <returns>To be disposed of by who has read it.</returns>
    /// <exception cref="ElasticException">The shard is damaged; the message names file and offset.</exception>
    public Task<ShardLease> ShardAsync(BuiltCorpus corpus, bool heldOut, int index)
    {
        var shards = heldOut ? corpus.HeldOutShards : corpus.TrainShards;
        if (index < 0 || index >= shards.Count)
            throw new ElasticException($"the corpus {corpus.Id.Short} has {shards.Count} shards of this kind, and no shard {index}");
        var info = shards[index];
        var path = corpus.ShardPath(info);
        return _open.TakeAsync(path, async () =>
        {
            if (!File.Exists(path))
                await FetchAsync();
            try
            {
                return Open();
            }
            catch (ElasticException) when (corpus.Folder == Path.GetFullPath(paths.FetchedCorpus(corpus.Id)))
            {
                await FetchAsync();                                    // damaged here, and whole where it is from
                return Open();
            }
        });

        Task FetchAsync() => fetcher.FetchFileAsync(info.Sha256, path, info.MostFileBytes, CancellationToken.None);

        TokenShard Open() => TokenShard.Open(path, info, corpus.Manifest.VocabularySize);
    }
}
