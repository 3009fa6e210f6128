using System.Text.Json;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using ZstdSharp;

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
        var longest = LongestFrame(documents);
        Assert.True(documents.Select(d => d.Frame).Distinct().Count() > 4);
        Texts();

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(AllCharacters, Texts());
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        // A string takes two bytes a character, a frame one, and there are buffers of two sizes.
        Assert.InRange(allocated, 2 * AllCharacters, 2 * AllCharacters + LongCharacters + 3L * TextFrames.UsualBytes / 2);

        long Texts() => store.WithTexts(piece, documents, longest).Sum(d => (long)d.Text.Length);
    }

    [Fact]
    public void Texts_are_the_same_whichever_frames_were_read_before()
    {
        var (store, piece) = Read();
        var documents = store.Documents(piece).ToList();
        using var texts = new DocumentTexts(store, [piece], _folder["work"], CancellationToken.None) { FramesKept = 2 };
        foreach (var number in Enumerable.Range(0, Documents).Select(i => i * 37 % Documents))
            Assert.Equal(Text(number), texts[number]);
        Assert.Equal(Enumerable.Range(0, Documents).Select(Text),
            store.WithTexts(piece, documents, LongestFrame(documents)).Select(d => d.Text));
    }

    [Fact]
    public void A_frame_that_claims_more_than_its_documents_say_is_not_unpacked_and_its_file_is_named()
    {
        var (store, piece) = Read();
        var documents = store.Documents(piece).ToList();
        var longest = LongestFrame(documents);
        Assert.InRange(longest, LongCharacters, LongCharacters + TextFrames.FrameBytes);
        var file = store.PathsOf(piece.Identity).Texts;
        Assert.InRange(new FileInfo(file).Length, 1, PieceBounds.OfTexts(store.PathsOf(piece.Identity).Documents, default));

        var packed = new Compressor().Wrap(new byte[longest + 1]).ToArray();
        File.WriteAllBytes(file, [.. BitConverter.GetBytes(packed.Length), .. packed]);
        var refused = Assert.Throws<ElasticException>(() => store.WithTexts(piece, documents, longest).First());
        Assert.StartsWith(
            $"{file} is damaged (a frame of it says that it has {longest + 1} bytes", refused.Message, StringComparison.Ordinal);
        using var texts = new DocumentTexts(store, [piece], _folder["work"], CancellationToken.None);
        Assert.Equal(refused.Message, Assert.Throws<ElasticException>(() => texts[0]).Message);
    }

    [Fact]
    public void A_source_that_is_elsewhere_counts_as_what_may_be_fetched_of_it()
    {
        File.WriteAllText(_folder["a.txt"], "some text");
        long Most(params string[] paths) => PieceBounds.OfSources(Manifests.OfSources(
            [("name", "all"), ("paths[]", string.Join('|', paths)), ("largest-download-gib", "1")]), CancellationToken.None);
        var (here, elsewhere) = (Most(_folder["a.txt"]), Most("https://example.org/a.txt"));
        Assert.InRange(here, 1 << 20, 1 << 26);
        Assert.InRange(elsewhere, 1L << 30, PieceStore.MostBytes);
        Assert.Equal(elsewhere, Most(_folder["a.txt"], "https://example.org/a.txt"));
        Assert.ThrowsAny<ElasticException>(() => Most(_folder["none.txt"]));
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

    private static int LongestFrame(IEnumerable<PieceDocument> documents) =>
        documents.Aggregate(0, (longest, document) => document.LongerFrame(longest));

    private static string Text(int number) =>
        new((char)('a' + number % 26), number == Long ? LongCharacters : Characters);
}
