using System.Text;
using Elastic.Corpus.Build;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Build;

public sealed class TakeDownTests : IDisposable
{
    private static readonly TakeDownSettings Nothing = SettingsRecord.DefaultsOf<TakeDownSettings>();

    private readonly BuiltFolders _folders = new();

    public void Dispose() => _folders.Dispose();

    [Theory]
    [InlineData("documents", "notes/notes.jsonl:2")]
    [InlineData("documents", "notes/notes.jsonl")]
    [InlineData("urls", "https://example.com/1")]
    [InlineData("licences", "CC-BY-4.0")]
    public void A_build_of_pieces_that_were_read_before_is_the_build_of_the_final_manifest(string kind, string name)
    {
        var manifest = Manifest();
        var before = _folders.Build(manifest);
        var taken = manifest with { TakeDowns = TakeDowns.Of(Of(kind, name)) };
        var built = _folders.Build(taken);
        Assert.Equal(BuiltFolders.FilesOf(_folders.Build(taken, "fresh").Folder), BuiltFolders.FilesOf(built.Folder));
        Assert.NotEqual(before.Report.Id, built.Report.Id);
        Assert.Contains(built.Rows(), r => r.Dropped == BuiltDocument.TakenDown);
        Assert.Equal(BuiltFolders.FilesOf(_folders["fresh-pieces"]), BuiltFolders.FilesOf(_folders["data-pieces"]));

        // And back: what had been purged is read again.
        var files = BuiltFolders.FilesOf(before.Folder);
        Directory.Delete(before.Folder, recursive: true);
        Assert.Equal(files, BuiltFolders.FilesOf(_folders.Build(manifest).Folder));
    }

    [Fact]
    public void Nothing_of_the_text_is_left_in_what_the_build_and_its_pieces_hold()
    {
        var manifest = Manifest();
        _folders.Build(manifest);
        // Another build read the same file through another stage.
        _folders.Build(Manifests.Of([("notes", _folders["notes.jsonl"])]));
        Assert.True(Holds(_folders["data-pieces"], "secret"));
        var built = _folders.Build(manifest with { TakeDowns = TakeDowns.Of(Of("urls", "https://example.com/1")) });
        Assert.False(Holds(_folders["data-pieces"], "secret"));
        Assert.DoesNotContain(built.Records(Split.Train).Concat(built.DroppedRecords()),
            r => r.Text.Contains("secret", StringComparison.Ordinal));
        Assert.Equal("the manifest takes it down", built.Rows().Single(r => r.Dropped == BuiltDocument.TakenDown).Why);
        Assert.Equal(2, Directory.GetFiles(_folders["data-pieces"], "*.texts").Length);

        // The text is there already, and the piece was read again by a build that takes nothing down.
        _folders.Build(Manifests.Of([("notes", _folders["notes.jsonl"])], "exact-duplicates"));
        Assert.True(Holds(_folders["data-pieces"], "secret"));
        Assert.Equal(built.Folder, _folders.Build(manifest with { TakeDowns = TakeDowns.Of(Of("urls", "https://example.com/1")) }).Folder);
        Assert.False(Holds(_folders["data-pieces"], "secret"));
    }

    [Fact]
    public void What_nothing_was_taken_down_for_is_known()
    {
        var takeDowns = TakeDowns.Of(Nothing with
        {
            Documents = ["notes/notes.jsonl:2", "notes/notes.jsonl:9", "free/free.jsonl"],
            Urls = ["https://example.com/1", "https://example.com/7"],
            Licences = ["CC-BY-4.0", "MIT"],
        });
        Assert.Equal(
            ["take down document notes/notes.jsonl:9", "take down licence MIT", "take down url https://example.com/7"],
            takeDowns.Unmatched(_folders.Build(Manifest() with { TakeDowns = takeDowns }).Rows()));
    }

    [Fact]
    public void What_went_for_a_document_that_is_taken_down_stays_as_if_that_had_never_been()
    {
        var manifest = Manifests.Of(
            [("all", _folders.Texts("all.jsonl", ["the same text", "The same  text", "another"]))], "exact-duplicates");
        Assert.Equal([0L, 2], _folders.Build(manifest).Records(Split.Train).Select(r => r.Id));
        var taken = manifest with { TakeDowns = TakeDowns.Of(Of("documents", "all/all.jsonl:1")) };
        Assert.Equal([1L, 2], _folders.Build(taken).Records(Split.Train).Select(r => r.Id));
    }

    [Fact]
    public void A_source_that_grows_and_shrinks_is_built_from_what_is_there()
    {
        _folders.Build(Manifest());
        _folders.Write("more/new.txt", "a new text of a new file");
        var grown = Manifest(("more", _folders["more"]));
        Assert.Equal(BuiltFolders.FilesOf(_folders.Build(grown, "fresh").Folder), BuiltFolders.FilesOf(_folders.Build(grown).Folder));
        Assert.Equal(
            BuiltFolders.FilesOf(_folders.Build(Manifest(), "fresh").Folder), BuiltFolders.FilesOf(_folders.Build(Manifest()).Folder));
    }

    [Fact]
    public void What_a_piece_says_of_itself_is_unpacked_once_until_its_file_is_another_one()
    {
        var manifest = Manifest();
        var store = new PieceStore(_folders["store"]);
        var piece = SourcePiece.Of(manifest, 0, PartSize.Default, []).Single();
        store.Read(piece, manifest, default);
        var summary = store.Summary(piece);
        Assert.Same(summary, store.Summary(piece));
        var taken = manifest with { TakeDowns = TakeDowns.Of(Of("urls", "https://example.com/1")) };
        new PieceStore(_folders["store"]).Read(piece, taken, default);
        Assert.Equal((0, 1), (summary.TakenDown, store.Summary(piece).TakenDown));
    }

    [Fact]
    public void A_file_has_a_line_for_each_and_a_line_that_is_none_of_the_three_is_named()
    {
        var path = _folders.Write("list.txt", "# on request\nurl https://example.com/1\n\nlicence CC0\ndocument notes/a.txt\n");
        var takeDowns = TakeDowns.Of(Nothing with { File = path });
        Assert.Equal(
            ["take down document notes/a.txt", "take down url https://example.com/1", "take down licence CC0"], takeDowns.Identity);
        Assert.True(takeDowns.Cover("notes", "a.txt#3", null, null));
        Assert.False(takeDowns.Cover("notes", "a.txt.old", null, null));
        Refusal.Says("list.txt, line 1: write document, url or licence", () => TakeDowns.Of(
            Nothing with { File = _folders.Write("list.txt", "https://example.com/1\n") }));
        Refusal.Says("nothing.txt cannot be read", () => TakeDowns.Of(Nothing with { File = _folders["nothing.txt"] }));
    }

    private BuildManifest Manifest(params (string, string)[] more)
    {
        var notes = _folders.Records("notes.jsonl", Enumerable.Range(0, 4).Select(i => new
        {
            text = i == 1 ? "a secret text that somebody wants back" : $"text number {i} of many",
            url = $"https://example.com/{i}",
        }));
        var free = _folders.Texts("free.jsonl", ["text number 0 of many", "a text under a licence"]);
        var manifest = Manifests.Of([("notes", notes), ("free", free), .. more], "clean", "near-duplicates");
        return manifest with
        {
            Sources = [.. manifest.Sources.Select(s => s.Name == "free" ? s with { Licence = "CC-BY-4.0" } : s)],
        };
    }

    private static TakeDownSettings Of(string kind, string name) => kind switch
    {
        "documents" => Nothing with { Documents = [name] },
        "urls" => Nothing with { Urls = [name] },
        _ => Nothing with { Licences = [name] },
    };

    private static bool Holds(string folder, string word) => Directory.GetFiles(folder, "*.texts").Any(path =>
    {
        // One frame, with its length in front.
        using var unpacking = new ZstdSharp.Decompressor();
        var bytes = File.ReadAllBytes(path);
        return bytes.Length > 4 && Encoding.UTF8.GetString(unpacking.Unwrap(bytes.AsSpan(4))).Contains(word, StringComparison.Ordinal);
    });
}
