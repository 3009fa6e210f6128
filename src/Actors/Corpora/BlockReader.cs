using Akka.Actor;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Corpora;

/// <summary>
/// Fetches blocks of a corpus from the cluster's shard readers. After a reader's node has died, the cluster places its shard anew only once
/// it has downed the node; until then this node reads the shard itself, and fetches the file first where it is missing.
/// </summary>
/// <param name="readers">Holds the reference to the shard region.</param>
internal sealed class BlockReader(ReaderWay readers, CorpusFiles files, BuiltCorpus corpus, BlockMap map, bool heldOut)
{
    // Parts of fewer elements are not worth a message: a context that has no other divisor is read here.
    private const int LeastPart = 256;

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
        var asked = AskedAs(map.Cut);
        var cut = asked ?? map.Cut;
        var parts = map.Cut.Context / cut.Context;
        var perAnswer = Math.Max(1, ShardReaderActor.MostBytes / (cut.Length * sizeof(int)));
        var requests = blocks
            .SelectMany((block, i) => PartsOf(map.Locate(block), i))
            .GroupBy(p => p.Shard)
            .SelectMany(shard => shard.Chunk(perAnswer).Select(some => (Shard: shard.Key, Parts: some)));

        await Task.WhenAll(requests.Select(async request =>
        {
            int[] places = [.. request.Parts.Select(p => p.Block)];
            var ask = new ReadBlocks(new ShardId(corpus.Id, request.Shard), heldOut, cut.Kind, cut.Context, places);
            if (asked is not null && await AskAsync<BlocksRead>(ask, request.Shard, read => Answers(ask, read), cancel) is { } answer
                && Unpack(answer, request.Shard, cut.Length, [.. request.Parts.Select(p => p.At)], tokens))
                return;

            using var shard = await files.ShardAsync(corpus, heldOut, request.Shard);
            for (var i = 0; i < places.Length; i++)
                cut.Read(shard.Tokens, places[i], tokens.AsSpan(request.Parts[i].At, cut.Length));
        }));
        return tokens;

        // Neighbours share an element, which both write.
        IEnumerable<(int Shard, int Block, int At)> PartsOf((int Shard, int Block) place, int number) =>
            Enumerable.Range(0, parts).Select(
                part => (place.Shard, checked(place.Block * parts + part), number * row + part * cut.Context));
    }

    /// <summary>
    /// What a sample is asked for as. One that no answer holds is asked for in parts, which are samples of a shorter context: those lie
    /// side by side in a shard, as samples do.
    /// </summary>
    /// <returns>Null where no such parts make up the sample, which is then read from the shard here: one that begins with a document, or
    /// a context without a fitting divisor.</returns>
    internal static SampleCut? AskedAs(SampleCut cut)
    {
        const int Most = ShardReaderActor.MostBytes / sizeof(int);
        if (cut.Length <= Most)
            return cut;
        if (cut.Kind is SampleKind.Documents or SampleKind.Pairs)
            return null;
        for (var parts = cut.Context / Most + 1; cut.Context / parts >= LeastPart; parts++)
            if (cut.Context % parts == 0 && cut.Context / parts < Most)
                return cut with { Context = cut.Context / parts };
        return null;
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
    private bool Unpack(BlocksRead answer, int shard, int length, int[] places, int[] into)
    {
        for (var i = 0; i < places.Length; i++)
        {
            var block = into.AsSpan(places[i], length);
            TokenBytes.Unpack(answer.Tokens.AsSpan(i * length * answer.TokenBytes), answer.TokenBytes, block);
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
