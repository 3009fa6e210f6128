using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Event;
using Elastic.Actors.Serialization;
using Elastic.Corpus;
using Elastic.Messages;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Corpora;

/// <summary>
/// Reads one corpus shard for the whole cluster. Cluster Sharding starts it on demand and moves it when its node goes: its only
/// state is the open file. It runs on the blocking dispatcher, since a page of the mapped file may come from disk.
/// </summary>
internal sealed class ShardReaderActor : ReceiveActor, IWithUnboundedStash
{
    /// <summary>
    /// Bytes of the elements of an answer, at most. With what the message says besides, and its signature, it stays below
    /// <see cref="ElasticSerializer.MostBytes"/>, above which no message is sent.
    /// </summary>
    public const int MostBytes = ElasticSerializer.MostBytes - (16 << 10);

    private const int MostContext = 1 << 24;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly CorpusFiles _files;
    private Task<ShardLease>? _opening;
    private ShardLease? _shard;

    public ShardReaderActor(CorpusFiles files)
    {
        _files = files;
        Context.SetReceiveTimeout(TimeSpan.FromMinutes(2));
        Receive<ReadBlocks>(request => Answer(request, request.Shard, request.HeldOut, shard => Blocks(request, shard)));
        Receive<ReadSources>(request => Answer(request, request.Shard, request.HeldOut, shard => Sources(request, shard)));
        Receive<ReceiveTimeout>(_ => Context.Parent.Tell(new Passivate(PoisonPill.Instance)));
    }

    /// <inheritdoc/>
    public IStash Stash { get; set; } = null!;

    /// <inheritdoc cref="ShardReaderActor"/>
    public static Props Props(CorpusFiles files) =>
        Akka.Actor.Props.Create(() => new ShardReaderActor(files)).WithDispatcher("elastic.reading-dispatcher");

    /// <inheritdoc/>
    protected override void PostStop()
    {
        if (_opening is { } opening)
            _ = CloseAsync(opening);
    }

    private void Answer(object request, ShardId id, bool heldOut, Func<TokenShard, object> read)
    {
        if (_shard is null)
        {
            Stash.Stash();
            _opening = OpenAsync(id, heldOut);
            _ = _opening.PipeTo(Self, success: shard => new Opened(shard), failure: e => new Status.Failure(e));
            BecomeStacked(() =>
            {
                Receive<Opened>(opened =>
                {
                    _shard = opened.Shard;
                    UnbecomeStacked();
                    Stash.UnstashAll();
                });
                Receive<Status.Failure>(failure =>
                {
                    // The asking node reads the shard itself, and says what is wrong with it. The next request opens it anew.
                    _log.Error(failure.Cause, "shard {0} cannot be opened", id);
                    Context.Parent.Tell(new Passivate(PoisonPill.Instance));
                    Become(() =>
                    {
                        Receive<ReadBlocks>(r => Sender.Tell(new ShardUnreadable(r.Shard, failure.Cause.Message)));
                        Receive<ReadSources>(r => Sender.Tell(new ShardUnreadable(r.Shard, failure.Cause.Message)));
                    });
                    Stash.UnstashAll();
                });
                ReceiveAny(_ => Stash.Stash());
            });
            return;
        }

        try
        {
            Sender.Tell(read(_shard.Tokens));
        }
        catch (Exception e)
        {
            _log.Error(e, "{0} cannot be answered", request);
            Sender.Tell(new ShardUnreadable(id, e.Message));
        }
    }

    /// <summary>Why no answer can hold what is asked for; null where one can.</summary>
    /// <param name="width">Bytes of an element.</param>
    internal static string? Problem(ReadBlocks request, int width) =>
        !Enum.IsDefined(request.Kind) || request.Context < 1
        || (Halves(request) * request.Context + 1L) * request.Blocks.Length * width > MostBytes
            ? $"{request.Blocks.Length} blocks of {Halves(request) * request.Context + 1L} tokens are asked for, which no answer can hold"
            : null;

    // Of a pair: its source and its target.
    private static long Halves(ReadBlocks request) => request.Kind == SampleKind.Pairs ? 2 : 1;

    private static SourcesRead Sources(ReadSources request, TokenShard shard)
    {
        if (!Enum.IsDefined(request.Kind) || request.Context is < 1 or > MostContext)
            throw new InvalidDataException($"the sources of a sample of {request.Context} tokens are asked for, and there is none so long");
        var cut = new SampleCut(request.Kind, request.Context);
        return new SourcesRead(request.Shard, request.Block, [.. cut.SourcesOf(shard, request.Block)]);
    }

    private static BlocksRead Blocks(ReadBlocks request, TokenShard shard)
    {
        // Before anything is allocated for it.
        Demand(request, sizeof(ushort));
        var cut = new SampleCut(request.Kind, request.Context);
        var elements = new int[request.Blocks.Length * cut.Length];
        for (var i = 0; i < request.Blocks.Length; i++)
            cut.Read(shard, request.Blocks[i], elements.AsSpan(i * cut.Length, cut.Length));
        var width = TokenBytes.WidthFor(elements);
        Demand(request, width);
        var bytes = new byte[elements.Length * width];
        TokenBytes.Pack(elements, width, bytes);
        return new BlocksRead(request.Shard, width, bytes);
    }

    private static void Demand(ReadBlocks request, int width)
    {
        if (Problem(request, width) is { } problem)
            throw new InvalidDataException(problem);
    }

    private async Task<ShardLease> OpenAsync(ShardId id, bool heldOut)
    {
        var corpus = await _files.OpenAsync(id.Corpus, null, CancellationToken.None);
        return await _files.ShardAsync(corpus, heldOut, id.Index);
    }

    // It may be opened only now, for nobody.
    private static async Task CloseAsync(Task<ShardLease> opening)
    {
        await ((Task)opening).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (opening.IsCompletedSuccessfully)
            (await opening).Dispose();
    }

    private sealed record Opened(ShardLease Shard);
}
