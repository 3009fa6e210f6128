using System.Buffers.Binary;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using ZstdSharp;

namespace Elastic.Corpus.Tests.Build.Nodes;

/// <summary>A piece that another machine says it has read: whatever is wrong with it is refused before it is in the store.</summary>
public sealed class ReceivedPieceTests : IDisposable
{
    private const string Words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";

    private readonly BuiltFolders _folders = new();
    private readonly BuildManifest _manifest;
    private readonly SourcePiece _piece;
    private readonly PieceStore _here;

    public ReceivedPieceTests()
    {
        var (path, against) = (_folders.Texts("in/a.jsonl", [Words, "", "short é one"]), _folders.Texts("against.jsonl", [Words]));
        _manifest = Manifests.Of(
            [("in", path)], "gopher-quality words=1,99", "exact-duplicates", "near-duplicates", $"decontaminate against={against}");
        _piece = SourcePiece.Of(_manifest, 0, PartSize.Default, []).Single();
        var there = new PieceStore(_folders["there"]);
        there.Read(_piece, _manifest, TestContext.Current.CancellationToken);
        (Documents, Summary) = ([.. there.Documents(_piece)], there.Summary(_piece));
        Texts = File.ReadAllBytes(there.PathsOf(_piece.Identity).Texts);
        _here = new PieceStore(_folders["here"]);
    }

    private PieceDocument[] Documents { get; }

    private PieceSummary Summary { get; }

    private byte[] Texts { get; }

    public void Dispose() => _folders.Dispose();

    [Fact]
    public void A_sound_one_is_taken_in()
    {
        Assert.NotEmpty(Documents[0].Sketches[3]!);
        TakeIn(Texts, Documents, Summary);
        Assert.Equal([Words, "short é one"], _here.WithTexts(_piece, _here.Documents(_piece), 1 << 20).Select(d => d.Text));
    }

    [Fact]
    public void Bytes_that_are_not_packed_are_refused()
    {
        Refuses("is no piece of it", () => TakeIn(Texts, "no Zstandard"u8.ToArray()));
        Refuses("is no piece of it", () => TakeIn(Texts, []));
        Refuses("is no piece of it", () => TakeIn("\u0004\0\0\0text"u8.ToArray(), Documents, Summary));
    }

    [Fact]
    public void Documents_that_are_none_of_the_source_and_the_stages_are_refused()
    {
        var first = Documents[0];
        Refuses("document 1: it is of the source another", first with { Facts = first.Facts with { Source = "another" } });
        Refuses("it is of the source in", first with { Facts = first.Facts with { Format = (DocumentFormat)99 } });
        Refuses("it has passed 3 stages, and there are 4", first with { Signals = [.. first.Signals.Take(3)] });
        Refuses("it has passed 4 stages, and there are 4", first with { Sketches = [] });
        Refuses("the stage gopher-quality has measured 1 numbers", first with { Signals = [[1], null, null, null] });
        Refuses("the stage gopher-quality makes no such sketch", first with { Sketches = [[1], null, null, null] });
        Refuses("the stage exact-duplicates makes no such sketch", first with { Sketches = [null, [1], null, null] });
        Refuses("the stage near-duplicates makes no such sketch", first with { Sketches = [null, null, [1], null] });
        var cut = first.Sketches[3]!;
        Refuses("the stage decontaminate makes no such sketch", first with { Sketches = [null, null, null, cut[..^1]] });
        foreach (var (at, number) in new[] { (0, Words.Length + 1), (12, -1), (16, Words.Length + 1) })
        {
            var wrong = cut.ToArray();
            BinaryPrimitives.WriteInt32LittleEndian(wrong.AsSpan(at), number);
            Refuses("the stage decontaminate makes no such sketch", first with { Sketches = [null, null, null, wrong] });
        }
        Refuses("its numbers are none of a document", first with { Lot = 1 });
        Refuses("its numbers are none of a document", first with { Bytes = -1 });
    }

    [Fact]
    public void Texts_that_are_not_where_documents_say_or_are_nobodys_are_refused()
    {
        var first = Documents[0];
        Refuses("its texts do not follow each other", first with { Frame = 1 });
        Refuses("its text is not where it says", first with { At = 1 });
        Refuses("its text is not where it says", first with { Bytes = int.MaxValue });
        Refuses("its text is not where it says", first with { Bytes = 5, Sketches = [null, null, null, null] });
        Refuses("it has texts of no document", () => TakeIn(Texts, Documents[..1], Summary with { Documents = 1, WithoutUrl = 1 }));
        Refuses("it has texts of no document", () => TakeIn([.. Texts, 1], Documents, Summary));
        var packed = new Compressor().Wrap(new byte[(64 << 20) + (1 << 20) + 1]).ToArray();
        Refuses("a frame of it says that it has", () => TakeIn([.. BitConverter.GetBytes(packed.Length), .. packed], Documents, Summary));
    }

    [Fact]
    public void A_summary_of_something_else_is_refused()
    {
        Assert.All(
            [
                Summary with { Documents = 7 }, Summary with { Malformed = 1 }, Summary with { Unread = -1 },
                Summary with { Rejects = [null!] }, Summary with { Passed = [null!] }, Summary with { TakenDown = 1 },
                Summary with { WithoutUrl = 0 },
            ],
            summary => Refuses("its summary is of something else", () => TakeIn(Texts, Documents, summary)));
        Refuses("is no piece of it", () => TakeIn(Texts, Packed([PieceLines.Of(Documents[0])])));
    }

    [Fact]
    public void No_more_is_fetched_than_the_files_of_the_pieces_may_come_to()
    {
        var most = PieceStore.MostBytesOf([_piece with { Bytes = 1 << 20 }, _piece with { Bytes = 1 << 20 }]);
        Assert.InRange(most, 2L << 20, 1L << 30);
        Assert.Equal(PieceStore.MostBytes, PieceStore.MostBytesOf([_piece with { Bytes = long.MaxValue }, _piece]));
    }

    private void Refuses(string why, PieceDocument first) => Refuses(why, () => TakeIn(Texts, [first, .. Documents[1..]], Summary));

    private void Refuses(string why, Action take)
    {
        var refused = Assert.Throws<ElasticException>(take);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        Assert.False(_here.Has(_piece));
    }

    private void TakeIn(byte[] texts, PieceDocument[] documents, PieceSummary summary) =>
        TakeIn(texts, Packed([.. documents.Select(PieceLines.Of), PieceLines.Of(summary)]));

    private void TakeIn(byte[] texts, byte[] documents)
    {
        using var pack = new MemoryStream([
            .. BitConverter.GetBytes((long)texts.Length), .. texts, .. BitConverter.GetBytes((long)documents.Length), .. documents]);
        _here.TakeIn(_piece, _manifest, pack);
    }

    private static byte[] Packed(IEnumerable<byte[]> lines)
    {
        using var packing = new Compressor();
        return packing.Wrap(lines.SelectMany(line => (byte[])[.. line, (byte)'\n']).ToArray()).ToArray();
    }
}
