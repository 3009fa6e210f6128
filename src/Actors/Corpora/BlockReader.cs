using Akka.Actor;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Corpora;

namespace Elastic.Actors.Corpora;

/// <summary>
/// Fetches blocks of a corpus from the cluster's shard readers. After a reader's node has died, the cluster places its shard anew only once
/// it has downed the node; until then this node reads the shard itself, and fetches the file first where it is missing.
/// </summary>
/// <param name="readers">Holds the reference to the shard region.</param>
internal sealed class BlockReader(ReaderWay readers, CorpusFiles files, BuiltCorpus corpus, BlockMap map, bool heldOut)
{
    // An answer stays well below the control plane's frame size.
    private const int MostBytes = 48 << 10;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Detour = TimeSpan.FromSeconds(30);

    private readonly Dictionary<int, long> _detours = [];               // shard -> when its reader last failed to answer
    private readonly Lock _gate = new();                                // requests for several shards run at once

    /// <summary>The blocks' elements, (blocks, T + 1) row-major, in the order asked for.</summary>
    /// <exception cref="ElasticException">A shard is damaged; the message names file and offset.</exception>
    public async Task<int[]> ReadAsync(IReadOnlyList<long> blocks, CancellationToken cancel)
    {
        var row = map.Cut.Length;
        var tokens = new int[blocks.Count * row];
        var perAnswer = Math.Max(1, MostBytes / (row * sizeof(int)));
        var requests = blocks.Select((block, i) => (Place: map.Locate(block), Row: i))
            .GroupBy(b => b.Place.Shard)
            .SelectMany(shard => shard.Chunk(perAnswer).Select(part => (Shard: shard.Key, Part: part)));

        await Task.WhenAll(requests.Select(async request =>
        {
            int[] places = [.. request.Part.Select(p => p.Place.Block)];
            var ask = new ReadBlocks(new ShardId(corpus.Id, request.Shard), heldOut, map.Cut.Kind, map.Cut.Context, places);
            if (await AskAsync<BlocksRead>(ask, request.Shard, read => Answers(ask, read), cancel) is { } answer
                && Unpack(answer, request.Shard, [.. request.Part.Select(p => p.Row)], tokens))
                return;

            using var shard = await files.ShardAsync(corpus, heldOut, request.Shard);
            for (var i = 0; i < places.Length; i++)
                map.Cut.Read(shard.Tokens, places[i], tokens.AsSpan(request.Part[i].Row * row, row));
        }));
        return tokens;
    }

    /// <summary>The sources of each block's elements, see <see cref="SampleCut.SourcesOf"/>.</summary>
    /// <exception cref="ElasticException">A shard is damaged; the message names file and offset.</exception>
    public async Task<IReadOnlyList<SourceRun>[]> SourcesAsync(IReadOnlyList<long> blocks, CancellationToken cancel) =>
        await Task.WhenAll(blocks.Select(map.Locate).Select(async place =>
        {
            var ask = new ReadSources(new ShardId(corpus.Id, place.Shard), heldOut, map.Cut.Kind, map.Cut.Context, place.Block);
            if (await AskAsync<SourcesRead>(ask, place.Shard, read => Answers(ask, read), cancel) is { } answer)
                return answer.Runs;
            using var shard = await files.ShardAsync(corpus, heldOut, place.Shard);
            return map.Cut.SourcesOf(shard.Tokens, place.Block);
        }));

    // False where the answer is not what was asked for: it comes from another node, and tokens are indices into the embedding.
    private bool Unpack(BlocksRead answer, int shard, int[] rows, int[] into)
    {
        var row = map.Cut.Length;
        for (var i = 0; i < rows.Length; i++)
        {
            var block = into.AsSpan(rows[i] * row, row);
            TokenBytes.Unpack(answer.Tokens.AsSpan(i * row * answer.TokenBytes), answer.TokenBytes, block);
            foreach (var token in block)
                if (!SampleElement.IsValid(token, corpus.Manifest.VocabularySize))
                    return BeginDetour(shard);
        }

        return true;
    }

    // This node reads the shard itself for a while.
    private bool BeginDetour(int shard)
    {
        lock (_gate)
            _detours[shard] = Environment.TickCount64;
        return false;
    }

    // Returns null where no reader answers, or the reader cannot read; this node then reads the shard, and its exception names the cause.
    private async Task<T?> AskAsync<T>(object request, int shard, Func<T, bool> answers, CancellationToken cancel)
        where T : class
    {
        if (readers.Region is not { } region || IsOnDetour(shard))
            return null;
        try
        {
            if (await region.Ask<object>(request, Deadline, cancel) is T read && answers(read))
                return read;
        }
        catch (AskTimeoutException)
        {
            // Starts a detour, as an unreadable shard does.
        }

        BeginDetour(shard);
        return null;
    }

    private static bool Answers(ReadBlocks request, BlocksRead read) =>
        read.Shard == request.Shard && read.TokenBytes is (sizeof(ushort) or sizeof(int))
        && read.Tokens.Length == request.Blocks.Length * SampleCut.LengthOf(request.Kind, request.Context) * read.TokenBytes;

    // It comes from another node, too: the elements are those of the sample, and names are no longer than a message has room for.
    private bool Answers(ReadSources request, SourcesRead read) =>
        read.Shard == request.Shard && read.Block == request.Block && read.Runs.Length <= SampleCut.MostPieces + 1
        && read.Runs.All(r => r.Elements > 0 && r.Source.Length <= SourceName.Longest && LanguageCode.Of(r.Language) == r.Language)
        && (read.Runs.Length == 0 || read.Runs.Sum(r => (long)r.Elements) == map.Cut.Length);

    private bool IsOnDetour(int shard)
    {
        lock (_gate)
            return _detours.TryGetValue(shard, out var since) && Environment.TickCount64 - since < Detour.TotalMilliseconds;
    }
}
