using System.Security.Cryptography;
using System.Text.Json;
using Elastic.Corpus.Build;
using Elastic.Foundation;

namespace Elastic.Corpus.Tests.Build;

public sealed class CorpusBuilderTests : IDisposable
{
    private const string Prose = "the be to of and that have with ";

    private readonly TemporaryFolder _sources = new();
    private readonly TemporaryFolder _data = new();

    public void Dispose()
    {
        _sources.Dispose();
        _data.Dispose();
    }

    [Fact]
    public void Threads_and_an_interruption_do_not_show_in_the_bytes()
    {
        var manifest = Large();
        var one = FilesOf(Build(manifest, "one", threads: 1));
        Assert.Equal(one, FilesOf(Build(manifest, "four", threads: 4)));

        using var cancel = new CancellationTokenSource();
        var stops = new Reports(now =>
        {
            if (now.Documents > 0)
                cancel.Cancel();
        });
        Assert.ThrowsAny<OperationCanceledException>(() => Builder(manifest, "stopped").Run(1, stops, cancel.Token));
        Assert.NotEmpty(Directory.GetFiles(_data["stopped-pieces"]));
        Assert.False(Directory.Exists(_data["stopped-texts"]));
        Assert.Equal(one, FilesOf(Build(manifest, "stopped", threads: 2)));
    }

    [Fact]
    public void Sources_are_listed_by_as_many_threads_as_there_are_and_the_text_is_the_same()
    {
        var manifest = Large();
        using var both = new Barrier(2);
        var (seen, met) = (0, true);
        void Meet(string step)
        {
            // The first two files are not read one after the other: each waits until the other one is begun.
            if (step == "lists its sources" && Interlocked.Increment(ref seen) <= 2)
                met &= both.SignalAndWait(TimeSpan.FromMinutes(1));
        }
        var builder = new CorpusBuilder(manifest, new PieceStore(_data["two-pieces"]), _data["two-texts"]) { Step = Meet };
        var two = builder.Run(2, null, CancellationToken.None);
        Assert.True(met && seen > 2);
        var one = Build(manifest, "one", threads: 1);
        Assert.Equal(Path.GetFileName(one.Folder), Path.GetFileName(two.Folder));
        Assert.Equal(FilesOf(one), FilesOf(two));
    }

    [Fact]
    public void Other_thresholds_decide_anew_and_read_nothing()
    {
        var before = Large("gopher-quality words=8,100");
        var after = Large("gopher-quality words=16,100");
        var first = Build(before, "kept");
        var pieces = FilesOf(_data["kept-pieces"]);
        var second = Build(after, "kept");
        Assert.NotEqual(first.Report.Kept, second.Report.Kept);
        Assert.Equal(pieces, FilesOf(_data["kept-pieces"]));
        Assert.Equal(FilesOf(Build(after, "fresh")), FilesOf(second));
    }

    [Fact]
    public void A_file_that_changed_is_read_anew_and_the_others_are_not()
    {
        var manifest = Large();
        Build(manifest, "kept");
        var pieces = Directory.GetFiles(_data["kept-pieces"]).Length;
        _sources.Write("many/7.txt", Prose + "something else");
        Assert.Equal(FilesOf(Build(manifest, "fresh")), FilesOf(Build(manifest, "kept")));
        Assert.Equal(pieces + 2, Directory.GetFiles(_data["kept-pieces"]).Length);
    }

    [Fact]
    public void Of_documents_alike_the_one_of_the_earlier_source_stays_and_the_other_says_which()
    {
        var second = _sources.Write("second.jsonl", """{"text":"The SAME  text"}""" + "\n" + """{"text":"another text"}""" + "\n");
        var first = _sources.Write("first.jsonl", """{"text":"one"}""" + "\n" + """{"text":"the same\ntext"}""" + "\n");
        var built = Build(Manifests.Of([("first", first), ("second", second)], "exact-duplicates"), "alike");
        Assert.Equal([("first", 2L), ("second", 1L)], built.Report.Kept.Select(k => (k.Name, k.Documents)));
        var dropped = Assert.Single(LinesOf(built, "dropped"));
        Assert.Equal("The SAME  text", dropped.GetProperty("text").GetString());
        Assert.Equal("document 1 is like it, with a similarity of 1", dropped.GetProperty("why").GetString());
        var row = LinesOf(built, "documents")[2];
        Assert.Equal((2, 1, 1.0), (row.GetProperty("id").GetInt32(), row.GetProperty("match").GetInt32(),
            row.GetProperty("similarity").GetDouble()));
    }

    [Fact]
    public void A_stage_applies_inside_of_its_scope_only()
    {
        var book = _sources.Write("book.txt", "two words");
        var note = _sources.Write("note.txt", "three short words");
        var built = Build(
            Manifests.Of([("books", book), ("notes", note)], "gopher-quality words=50,100 sources=books"), "scope");
        Assert.Equal([("books", 0L), ("notes", 1L)], built.Report.Kept.Select(k => (k.Name, k.Documents)));
        Assert.Equal("it has 2 words, and 50 to 100 are wanted", LinesOf(built, "dropped").Single().GetProperty("why").GetString());
    }

    [Fact]
    public void Kept_text_is_a_corpus_and_each_record_says_its_source()
    {
        var built = Build(Large(), "corpus");
        var documents = CorpusSources.Resolve([built.TextFolder]).SelectMany(f => DocumentReader.Read(f, new ReadStatistics())).ToList();
        Assert.Equal(built.Report.Kept.Sum(k => k.Documents), documents.Count);
        Assert.All(documents, d => Assert.Equal("many", d.Source));
    }

    [Fact]
    public void Where_nothing_is_left_the_stages_that_dropped_it_are_named_and_no_folder_stays()
    {
        var path = _sources.Write("few.txt", "few words");
        Refusal.Says(
            "nothing is left of 1 documents: gopher-quality dropped 1; move its thresholds, or check what the sources hold",
            () => Build(Manifests.Of([("few", path)], "gopher-quality"), "none"));
        Assert.Empty(Directory.GetDirectories(_data["none-texts"]));
    }

    [Fact]
    public void A_damaged_piece_is_named_with_the_remedy()
    {
        var path = _sources.Write("a.txt", Prose);
        Build(Manifests.Of([("a", path)], "gopher-quality words=1,100"), "damaged");
        var texts = Directory.GetFiles(_data["damaged-pieces"], "*.texts").Single();
        File.WriteAllBytes(texts, [1, 0, 0]);
        var error = Assert.Throws<ElasticException>(() => Build(Manifests.Of([("a", path)], "gopher-quality words=2,100"), "damaged"));
        Assert.Equal($"{texts} is damaged (it was cut short): delete it, and the file of the same name beside it, and give the same "
            + "command again", error.Message);
    }

    // Texts of 8 to 27 words, some of them twice.
    private BuildManifest Large(string quality = "gopher-quality words=12,100")
    {
        for (var i = 0; i < 20; i++)
            _sources.Write($"many/{i}.txt", Prose + string.Join(' ', Enumerable.Range(0, i / 2 * 2).Select(n => $"word{n}")) + "\u0007");
        return Manifests.Of([("many", _sources["many"])], "clean", quality, "exact-duplicates", "near-duplicates");
    }

    private CorpusBuilder Builder(BuildManifest manifest, string name) =>
        new(manifest, new PieceStore(_data[$"{name}-pieces"]), _data[$"{name}-texts"]);

    private BuiltText Build(BuildManifest manifest, string name, int threads = 2) =>
        Builder(manifest, name).Run(threads, null, CancellationToken.None);

    private static List<(string Name, string Hash)> FilesOf(BuiltText built) => FilesOf(built.Folder);

    private static List<(string Name, string Hash)> FilesOf(string folder) =>
    [
        .. Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(f => (Path.GetRelativePath(folder, f), Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(f))))),
    ];

    private static List<JsonElement> LinesOf(BuiltText built, string folder)
    {
        using var file = File.OpenRead(Directory.GetFiles(Path.Combine(built.Folder, folder)).Single());
        using var reader = new StreamReader(new ZstdSharp.DecompressionStream(file));
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];
    }

    private sealed class Reports(Action<BuildProgress> report) : IProgress<BuildProgress>
    {
        public void Report(BuildProgress value) => report(value);
    }
}
