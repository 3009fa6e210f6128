using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Event;
using Elastic.Actors.Nodes;
using Elastic.Corpus;
using Elastic.Messages;
using Elastic.Messages.Corpora;

namespace Elastic.Actors.Corpora;

/// <summary>
/// Reads one corpus shard for the whole cluster. Started on demand by Cluster Sharding and moved when its node goes: it
/// has no state but the open file. It runs on the blocking dispatcher, since a page of the mapped file may come from disk.
/// </summary>
internal sealed class ShardReaderActor : ReceiveActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly DataPaths _paths;
    private (TokenShard Tokens, int Width)? _shard;
    private string? _unreadable;

    public ShardReaderActor(DataPaths paths)
    {
        _paths = paths;
        Context.SetReceiveTimeout(TimeSpan.FromMinutes(2));
        Receive<ReadBlocks>(Read);
        Receive<ReceiveTimeout>(_ => Context.Parent.Tell(new Passivate(PoisonPill.Instance)));
    }

    /// <inheritdoc cref="ShardReaderActor"/>
    public static Props Props(DataPaths paths) =>
        Akka.Actor.Props.Create(() => new ShardReaderActor(paths)).WithDispatcher("elastic.reading-dispatcher");

    /// <inheritdoc/>
    protected override void PostStop() => _shard?.Tokens.Dispose();

    private void Read(ReadBlocks request)
    {
        try
        {
            if (_unreadable is null)
                Sender.Tell(Blocks(request));
        }
        catch (ElasticException e)
        {
            _log.Error(e, "shard {0} cannot be read", request.Shard);
            _unreadable = e.Message;                                  // damaged: reading it again will not mend it
        }
        catch (Exception e)
        {
            _log.Error(e, "shard {0} could not be read", request.Shard);
            Sender.Tell(new ShardUnreadable(request.Shard, $"{e.GetType().Name}: {e.Message}"));
        }

        if (_unreadable is not null)
            Sender.Tell(new ShardUnreadable(request.Shard, _unreadable));
    }

    private BlocksRead Blocks(ReadBlocks request)
    {
        var (shard, width) = _shard ??= Open(request);
        var tokens = new int[request.Context + 1];
        var bytes = new byte[request.Blocks.Length * tokens.Length * width];
        for (var i = 0; i < request.Blocks.Length; i++)
        {
            shard.ReadBlock(request.Blocks[i], request.Context, tokens);
            TokenBytes.Pack(tokens, width, bytes.AsSpan(i * tokens.Length * width));
        }

        return new BlocksRead(request.Shard, width, bytes);
    }

    private (TokenShard Tokens, int Width) Open(ReadBlocks request)
    {
        var corpus = BuiltCorpus.Open(_paths.Corpus(request.Shard.Corpus));
        var shards = request.HeldOut ? corpus.HeldOutShards : corpus.TrainShards;
        return (TokenShard.Open(corpus.ShardPath(shards[request.Shard.Index])), TokenBytes.WidthFor(corpus.Manifest.VocabularySize));
    }
}
