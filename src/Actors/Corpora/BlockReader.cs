using Akka.Actor;
using Elastic.Corpus;
using Elastic.Messages;
using Elastic.Messages.Corpora;

namespace Elastic.Actors.Corpora;

/// <summary>Fetches blocks of a corpus from the shard readers, wherever they are.</summary>
/// <param name="readers">The shard region.</param>
/// <param name="context">T: a block has T + 1 tokens.</param>
internal sealed class BlockReader(IActorRef readers, Digest corpus, BlockMap map, bool heldOut, int context)
{
    // An answer stays well below the control plane's frame size.
    private const int MostBytes = 48 << 10;
    private const int Attempts = 5;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);

    /// <summary>The blocks' tokens, (blocks, T + 1) row-major, in the order asked for.</summary>
    /// <exception cref="ElasticException">A shard is damaged; the message names file and offset.</exception>
    public async Task<int[]> ReadAsync(IReadOnlyList<long> blocks, CancellationToken cancel)
    {
        var row = context + 1;
        var tokens = new int[blocks.Count * row];
        var perAnswer = Math.Max(1, MostBytes / (row * sizeof(int)));
        var requests = blocks.Select((block, i) => (Place: map.Locate(block), Row: i))
            .GroupBy(b => b.Place.Shard)
            .SelectMany(shard => shard.Chunk(perAnswer).Select(part => (Shard: new ShardId(corpus, shard.Key), Part: part)));

        await Task.WhenAll(requests.Select(async request =>
        {
            var answer = await AskAsync(new ReadBlocks(request.Shard, heldOut, context, [.. request.Part.Select(p => p.Place.Block)]), cancel);
            for (var i = 0; i < request.Part.Length; i++)
                TokenBytes.Unpack(answer.Tokens.AsSpan(i * row * answer.TokenBytes), answer.TokenBytes, tokens.AsSpan(request.Part[i].Row * row, row));
        }));
        return tokens;
    }

    // A reader may be on its way to another node: ask again, each time a little later.
    private async Task<BlocksRead> AskAsync(ReadBlocks request, CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await readers.Ask<object>(request, Deadline, cancel) switch
                {
                    BlocksRead read => read,
                    ShardUnreadable unreadable => throw new ElasticException(unreadable.Why),
                    var other => throw new InvalidOperationException($"a shard reader answered {other}"),
                };
            }
            catch (AskTimeoutException) when (attempt < Attempts)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100 * attempt * (1 + Random.Shared.NextDouble())), cancel);
            }
        }
    }
}
