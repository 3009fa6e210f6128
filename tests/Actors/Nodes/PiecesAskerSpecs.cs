using Elastic.Actors.Control;
using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>What a build does with pieces that come back wrong.</summary>
public sealed class PiecesAskerSpecs : IDisposable
{
    private readonly SmallBuild _build = new();

    public void Dispose() => _build.Dispose();

    [Fact]
    public async Task A_piece_that_a_node_would_give_wrongly_again_and_again_is_given_up_and_the_build_goes_on()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var node = await _build.StartAsync("one", NodeDuty.Seed(), new NodeFaults(), deadline.Token);
        var taker = new Taker();
        await using (var asker = new PiecesAsker(node, Origins.Now("a test"), TokenizePieceWork.Kind, taker, _ => { }))
        {
            asker.Begin(new TokenPlan(Tokenizer.Open("byte"), 0, false).Write());
            for (var piece = 0; piece < 2; piece++)
                asker.Want(piece, DocumentPiece.Write([new Document("s", "n", $"text {piece}")]));
            while (asker.Wanted > 0)
                await asker.TurnAsync(hurries: false, deadline.Token);
        }
        Assert.Equal([1], taker.Taken);
        var (given, why) = Assert.Single(taker.GivenUp);
        Assert.Equal(0, given);
        Assert.EndsWith("holds no tokens", why, StringComparison.Ordinal);
    }

    // Of two pieces it takes the second in.
    private sealed class Taker : IPiecesTaker
    {
        public List<int> Taken { get; } = [];

        public List<(int Piece, string Why)> GivenUp { get; } = [];

        public long MostBytesOf(int piece) => TokenPiece.MostBytes;

        public void TakeIn(int piece, string file)
        {
            if (piece == 0)
                throw new ElasticException($"{file} holds no tokens");
        }

        public Task TakenAsync(int piece, CancellationToken cancel)
        {
            Taken.Add(piece);
            return Task.CompletedTask;
        }

        public Task GiveUpAsync(int piece, byte[] description, string why, CancellationToken cancel)
        {
            GivenUp.Add((piece, why));
            return Task.CompletedTask;
        }
    }
}
