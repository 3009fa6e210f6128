using System.Text.Json;
using Elastic.Corpus.Build;

namespace Elastic.Corpus.Tests.Build;

public sealed class TextFramesTests : IDisposable
{
    private const int Documents = 60, Characters = 100_000, Long = 5, LongCharacters = 3_000_000;
    private const long AllCharacters = (Documents - 1L) * Characters + LongCharacters;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Reading_many_frames_allocates_their_texts_and_hardly_more()
    {
        var (store, piece) = Read();
        var documents = store.Documents(piece).ToList();
        Assert.True(documents.Select(d => d.Frame).Distinct().Count() > 4);
        Texts();

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(AllCharacters, Texts());
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        // A string takes two bytes a character, a frame one, and there are buffers of two sizes.
        Assert.InRange(allocated, 2 * AllCharacters, 2 * AllCharacters + LongCharacters + 3L * TextFrames.UsualBytes / 2);

        long Texts() => store.WithTexts(piece, documents).Sum(d => (long)d.Text.Length);
    }

    [Fact]
    public void Texts_are_the_same_whichever_frames_were_read_before()
    {
        var (store, piece) = Read();
        var documents = store.Documents(piece).ToList();
        using var texts = new DocumentTexts(store, [piece], _folder["work"], CancellationToken.None) { FramesKept = 2 };
        foreach (var number in Enumerable.Range(0, Documents).Select(i => i * 37 % Documents))
            Assert.Equal(Text(number), texts[number]);
        Assert.Equal(Enumerable.Range(0, Documents).Select(Text), store.Texts(piece, documents));
    }

    private (PieceStore Store, SourcePiece Piece) Read()
    {
        File.WriteAllLines(
            _folder["all.jsonl"], Enumerable.Range(0, Documents).Select(i => JsonSerializer.Serialize(new { text = Text(i) })));
        var manifest = Manifests.OfSources([("name", "all"), ("paths[]", _folder["all.jsonl"])]);
        var store = new PieceStore(_folder["pieces"]);
        var piece = SourcePiece.Of(manifest, 0, PartSize.Default, []).Single();
        store.Read(piece, manifest, CancellationToken.None);
        return (store, piece);
    }

    private static string Text(int number) =>
        new((char)('a' + number % 26), number == Long ? LongCharacters : Characters);
}
