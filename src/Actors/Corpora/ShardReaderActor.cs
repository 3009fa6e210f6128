using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Event;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Messages.Corpora;

namespace Elastic.Actors.Corpora;

/// <summary>
/// Reads one corpus shard for the whole cluster. Cluster Sharding starts it on demand and moves it when its node goes: its only
/// state is the open file. It runs on the blocking dispatcher, since a page of the mapped file may come from disk.
/// </summary>
internal sealed class ShardReaderActor : ReceiveActor, IWithUnboundedStash
{
    // What the control plane carries at most.
    private const int MostAnswer = 64 << 10;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly CorpusFiles _files;
    private Opened? _shard;

    public ShardReaderActor(CorpusFiles files)
    {
        _files = files;
        Context.SetReceiveTimeout(TimeSpan.FromMinutes(2));
        Receive<ReadBlocks>(Read);
        Receive<ReceiveTimeout>(_ => Context.Parent.Tell(new Passivate(PoisonPill.Instance)));
    }

    /// <inheritdoc/>
    public IStash Stash { get; set; } = null!;

    /// <inheritdoc cref="ShardReaderActor"/>
    public static Props Props(CorpusFiles files) =>
        Akka.Actor.Props.Create(() => new ShardReaderActor(files)).WithDispatcher("elastic.reading-dispatcher");

    private void Read(ReadBlocks request)
    {
        if (_shard is null)
        {
            Stash.Stash();
            _ = OpenAsync(request).PipeTo(Self, success: opened => opened, failure: e => new Status.Failure(e));
            BecomeStacked(() =>
            {
                Receive<Opened>(opened =>
                {
                    _shard = opened;
                    UnbecomeStacked();
                    Stash.UnstashAll();
                });
                Receive<Status.Failure>(failure =>
                {
                    // The asking node reads the shard itself, and says what is wrong with it. The next request opens it anew.
                    _log.Error(failure.Cause, "shard {0} cannot be opened", request.Shard);
                    Context.Parent.Tell(new Passivate(PoisonPill.Instance));
                    Become(() => Receive<ReadBlocks>(r => Sender.Tell(new ShardUnreadable(r.Shard, failure.Cause.Message))));
                    Stash.UnstashAll();
                });
                ReceiveAny(_ => Stash.Stash());
            });
            return;
        }

        try
        {
            Sender.Tell(Blocks(request, _shard));
        }
        catch (Exception e)
        {
            _log.Error(e, "shard {0} cannot be read", request.Shard);
            Sender.Tell(new ShardUnreadable(request.Shard, e.Message));
        }
    }

    private static BlocksRead Blocks(ReadBlocks request, Opened shard)
    {
        // Before anything is allocated for it.
        if (request.Context < 1 || request.Blocks.Length * (request.Context + 1L) * shard.Width > MostAnswer)
            throw new ElasticException(
                $"{request.Blocks.Length} blocks of {request.Context} tokens are no request: an answer has at most {MostAnswer} bytes");
        var tokens = new int[request.Context + 1];
        var bytes = new byte[request.Blocks.Length * tokens.Length * shard.Width];
        for (var i = 0; i < request.Blocks.Length; i++)
        {
            shard.Tokens.ReadBlock(request.Blocks[i], request.Context, tokens);
            TokenBytes.Pack(tokens, shard.Width, bytes.AsSpan(i * tokens.Length * shard.Width));
        }

        return new BlocksRead(request.Shard, shard.Width, bytes);
    }

    private async Task<Opened> OpenAsync(ReadBlocks request)
    {
        var corpus = await _files.OpenAsync(request.Shard.Corpus, null, CancellationToken.None);
        var shard = await _files.ShardAsync(corpus, request.HeldOut, request.Shard.Index);
        return new Opened(shard, TokenBytes.WidthFor(corpus.Manifest.VocabularySize));
    }

    private sealed record Opened(TokenShard Tokens, int Width);
}
