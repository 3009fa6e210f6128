using System.Text.Json;
using Elastic.Corpus.Build;
using Elastic.Foundation;

namespace Elastic.Corpus.Tests.Build.Nodes;

/// <summary>What another machine reads by a manifest that was sent to it is what this one reads.</summary>
public sealed class SharedManifestTests : IDisposable
{
    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web);

    private readonly BuiltFolders _folders = new();

    public void Dispose() => _folders.Dispose();

    [Fact]
    public void A_piece_that_was_read_elsewhere_from_a_copy_has_the_bytes_of_one_that_was_read_here()
    {
        var path = _folders.Records("in/web.jsonl", [
            new { text = "One sentence that is here.", meta = new { link = "https://a.example/1" }, score = 0.5 },
            new { text = "Another one\n\n\n\nthat is blocked.", meta = new { link = "https://b.example/2" }, score = 0.7 },
            new { text = "A third \u0065\u0301 one, taken down.", meta = new { link = "https://c.example/3" }, score = 0.9 }]);
        File.AppendAllText(path, "{broken\n");
        var blocks = _folders.Write("blocks.txt", "b.example\n");
        var manifest = Manifests.OfSources([
            ("name", "in"), ("paths[]", _folders["in"]), ("block-lists[]", blocks), ("longest-record", "1"),
            ("url-field", "meta.link"), ("licence", "CC0-1.0")]) with
        {
            Stages = Manifests.Of(
                [("in", _folders["in"])], "mojibake", "clean", "field field=score at-least=0.4", "gopher-quality words=1,9",
                "url-duplicates", "near-duplicates", "paragraph-duplicates least-characters=5").Stages,
            TakeDowns = TakeDowns.Of(new TakeDownSettings { Documents = [], Urls = ["https://c.example/3"], Licences = [], File = null }),
        };
        var piece = Assert.Single(SourcePiece.Of(manifest, 0, PartSize.Default, []));
        var here = new PieceStore(_folders["here"]);
        here.Read(piece, manifest, default);

        var copy = _folders.Write("copied", File.ReadAllText(path));
        var sent = SharedManifest.Read(SharedManifest.Write(manifest), StageKinds.Find, _ => { });
        Assert.Equal(manifest.Stages.Select(s => s.Identity), sent.Manifest.Stages.Select(s => s.Identity));
        var described = Assert.Single(PieceBatch.Read(PieceBatch.Write([piece])));
        File.Delete(path);
        var there = new PieceStore(_folders["there"]);
        var summary = there.Read(sent.PieceOf(described, copy), sent.Manifest, default);
        Assert.Equal((1, 1, 1L), (summary.Malformed, summary.Unread, summary.TakenDown));
        Assert.Equal(BuiltFolders.FilesOf(_folders["here"]), BuiltFolders.FilesOf(_folders["there"]));

        // And so has the piece that is taken in from there, also where others stand beside it.
        using var pack = new MemoryStream();
        there.Write(piece, pack);
        there.Write(piece, pack);
        pack.Position = 0;
        var taken = new PieceStore(_folders["taken"]);
        taken.TakeIn(piece, manifest, pack);
        Assert.Equal(BuiltFolders.FilesOf(_folders["here"]), BuiltFolders.FilesOf(_folders["taken"]));
        Assert.Equal(pack.Length / 2, pack.Position);
        pack.SetLength(pack.Length - 1);
        Assert.Contains(
            "is cut short", Assert.Throws<ElasticException>(() => taken.TakeIn(piece, manifest, pack)).Message, StringComparison.Ordinal);
        Assert.Equal(BuiltFolders.FilesOf(_folders["here"]), BuiltFolders.FilesOf(_folders["taken"]));
    }

    [Fact]
    public void A_stage_that_is_not_known_or_reads_what_it_may_not_is_refused()
    {
        var against = _folders.Texts("evaluation.jsonl", ["one two three four five six seven eight nine ten eleven twelve thirteen"]);
        var bytes = SharedManifest.Write(Manifests.Of([("in", _folders["in"])], $"decontaminate against={against}"));
        Assert.Equal(
            "the stage decontaminate is not known on this node",
            Assert.Throws<ElasticException>(() => SharedManifest.Read(bytes, _ => null, _ => { })).Message);
        Assert.Equal(
            against,
            Assert.Throws<ElasticException>(
                () => SharedManifest.Read(bytes, StageKinds.Find, path => throw new ElasticException(path))).Message);
        File.WriteAllText(against, "{\"text\":\"13 12 11 10 9 8 7 6 5 4 3 2 1 0\"}\n");
        Assert.Contains(
            "reads other files here",
            Assert.Throws<ElasticException>(() => SharedManifest.Read(bytes, StageKinds.Find, _ => { })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_description_of_another_manifest_or_of_nothing_is_refused()
    {
        var path = _folders.Texts("in/a.jsonl", ["text"]);
        var manifest = Manifests.OfSources([("name", "in"), ("paths[]", path)]);
        var described = SharedPiece.Of(Assert.Single(SourcePiece.Of(manifest, 0, PartSize.Default, [])));
        var shared = SharedManifest.Of(manifest);
        Assert.Throws<ElasticException>(() => shared.PieceOf(described with { Source = 1 }, null));
        Assert.Throws<ElasticException>(() => shared.PieceOf(described with { Blocks = described.Content }, null));
        Assert.All(
            [
                described with { Content = "../../etc/passwd" }, described with { Source = -1 }, described with { Length = -1 },
                described with { Format = (DocumentFormat)99 }, described with { Part = new FilePart(0, -1, 1, 0) },
            ],
            wrong => Assert.Throws<ElasticException>(() => PieceBatch.Read(JsonSerializer.SerializeToUtf8Bytes(new[] { wrong }, Web))));
        Assert.Single(PieceBatch.Read(JsonSerializer.SerializeToUtf8Bytes(new[] { described }, Web)));
        Assert.Throws<ElasticException>(() => PieceBatch.Read("[]"u8));
        Assert.Throws<ElasticException>(() => PieceBatch.Read("[null]"u8));
        Assert.Throws<ElasticException>(() => PieceBatch.Read("[{}]"u8));
    }

    [Fact]
    public void Small_files_come_many_at_a_time_and_a_large_one_by_itself()
    {
        var one = Assert.Single(SourcePiece.Of(
            Manifests.OfSources([("name", "in"), ("paths[]", _folders.Texts("in/a.jsonl", ["text"]))]), 0, PartSize.Default, []));
        int[] Sizes(int count, params long[] bytes)
        {
            var pieces = Enumerable.Range(0, count).Select(i => one with { Bytes = bytes[i % bytes.Length] }).ToList();
            return [.. PieceBatch.Cut(pieces).Select(b => b.Count)];
        }

        Assert.Equal([1, 1, 1], Sizes(3, 10));
        Assert.Equal(Enumerable.Repeat(2, 64), Sizes(128, 10));
        Assert.Equal(256, Sizes(100_000, 10).Max());
        Assert.Equal(100_000, Sizes(100_000, 10).Sum());
        Assert.Equal([2, 1, 2, 1], Sizes(256, 8L << 20, 8L << 20, 20L << 20)[..4]);
    }
}
