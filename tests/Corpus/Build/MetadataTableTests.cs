using Elastic.Corpus.Build;
using Elastic.Messages.Settings;
using Parquet;
using Parquet.Schema;

namespace Elastic.Corpus.Tests.Build;

public sealed class MetadataTableTests : IDisposable
{
    private readonly BuiltFolders _folders = new();

    public void Dispose() => _folders.Dispose();

    [Fact]
    public async Task Another_reader_finds_a_row_for_each_document_in_key_order_with_its_tokens()
    {
        var text = _folders.Build(Manifest());
        var corpus = _folders.Corpus(text);
        var path = await MetadataTable.WriteAsync(text, corpus, Settings(text), CancellationToken.None);
        var rows = text.Rows().ToList();
        await using var file = await ParquetReader.CreateAsync(path);
        Assert.Equal(1, file.RowGroupCount);
        Assert.Equal(text.Report.Id, file.CustomMetadata["elastic.text"]);
        Assert.Equal(rows.Select(r => (long?)r.Id), await Numbers<long>(file, "id"));
        Assert.Equal(rows.Select(r => r.Name), await Texts(file, "path"));
        Assert.Equal(rows.Select(r => r.Url), await Texts(file, "url"));
        Assert.Equal(rows.Select(r => r.Dropped ?? "kept"), await Texts(file, "decision"));
        Assert.Equal(rows.Select(r => r.Match), await Numbers<long>(file, "match"));
        Assert.Equal(rows.Select(r => r.Cluster ?? 1), (await Numbers<int>(file, "cluster")).Select(c => c!.Value));
        Assert.Contains(2, await Numbers<int>(file, "cluster"));
        Assert.Equal(
            rows.Select(r => r.Signals.TryGetValue("gopher-quality.words", out var words) ? (double?)words : null),
            await Numbers<double>(file, "gopher-quality.words"));
        // A token for each byte, and one for the end of the text.
        Assert.Equal(rows.Select(r => r.Dropped is null ? (long?)r.Bytes + 1 : null), await Numbers<long>(file, "tokens"));
        var splits = await Texts(file, "split");
        Assert.Equal(corpus.Manifest.HeldOut.Documents, splits.Count(s => s == "held-out"));
        Assert.Equal(corpus.Manifest.Documents, splits.Count(s => s is not null));
    }

    [Fact]
    public async Task The_bytes_follow_from_text_and_corpus()
    {
        var (one, two) = (_folders.Build(Manifest()), _folders.Build(Manifest(), "other"));
        var first = await MetadataTable.WriteAsync(one, _folders.Corpus(one), Settings(one), CancellationToken.None);
        var second = await MetadataTable.WriteAsync(two, _folders.Corpus(two, "other-corpus"), Settings(two), CancellationToken.None);
        Assert.Equal(await File.ReadAllBytesAsync(first), await File.ReadAllBytesAsync(second));
        Assert.Equal(Path.GetFileName(first), Path.GetFileName(second));
    }

    // The last group is full, or has fewer rows.
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public async Task No_row_is_lost_or_doubled_between_groups(int rowsInGroup)
    {
        var text = _folders.Build(Manifest());
        var path = await MetadataTable.WriteAsync(text, _folders.Corpus(text), Settings(text), rowsInGroup, CancellationToken.None);
        var rows = text.Rows().ToList();
        await using var file = await ParquetReader.CreateAsync(path);
        Assert.Equal((rows.Count + rowsInGroup - 1) / rowsInGroup, file.RowGroupCount);
        var (ids, names) = (new List<long?>(), new List<string?>());
        for (var group = 0; group < file.RowGroupCount; group++)
        {
            ids.AddRange(await Numbers<long>(file, "id", group));
            names.AddRange(await Texts(file, "path", group));
        }
        Assert.Equal(rows.Select(r => (long?)r.Id), ids);
        Assert.Equal(rows.Select(r => r.Name), names);
    }

    [Fact]
    public async Task A_corpus_of_another_text_is_refused()
    {
        var text = _folders.Build(Manifest());
        var corpus = _folders.Corpus(_folders.Build(Manifests.Of([("other", _folders.Texts("other.jsonl", ["other words"]))])), heldOut: 0);
        var error = await Assert.ThrowsAsync<Foundation.ElasticException>(
            () => MetadataTable.WriteAsync(text, corpus, Settings(text) with { HeldOut = 0 }, CancellationToken.None));
        Assert.Contains("was not made of the text", error.Message, StringComparison.Ordinal);
    }

    // Bytes are tokens: what a sample says stands in its documents, one behind the other.
    [Theory]
    [InlineData(SampleKind.Blocks, ShardSources.Mixed)]
    [InlineData(SampleKind.Blocks, ShardSources.Grouped)]
    [InlineData(SampleKind.Blocks, ShardSources.InTurn)]
    [InlineData(SampleKind.Documents, ShardSources.Mixed)]
    public void Every_sample_is_of_the_documents_that_are_named_for_it(SampleKind kind, ShardSources of)
    {
        var text = _folders.Build(Manifest());
        var corpus = _folders.Corpus(text, of: of);
        var cut = new SampleCut(kind, 64);
        var map = new BlockMap(corpus.TrainShards, cut);
        var tokens = new int[cut.Length];
        var texts = text.Records(Split.Train).ToDictionary(r => r.Id, r => r.Text + '\0');
        for (var sample = 0; sample < map.Blocks; sample++)
        {
            var (shard, block) = map.Locate(sample);
            using var opened = TokenShard.Open(corpus.ShardPath(corpus.TrainShards[shard]));
            cut.Read(opened, block, tokens);
            var counted = tokens.Where(t => (t & Messages.Corpora.SampleElement.NotCounted) == 0);
            var words = string.Concat(counted.Select(t => t == 256 ? '\0' : (char)t));
            var documents = DocumentTokens.OfSample(text, corpus, cut, sample, 0.2);
            Assert.Contains(words, string.Concat(documents.Select(d => texts[d.Id])), StringComparison.Ordinal);
            Assert.All(documents, d => Assert.InRange(d.Place.Tokens, 1, texts[d.Id].Length));
            if (kind == SampleKind.Documents)
                Assert.Single(documents);
        }
        Refusal.Says($"there is no sample {map.Blocks}", () => DocumentTokens.OfSample(text, corpus, cut, map.Blocks, 0.2));
    }

    [Fact]
    public void Lines_of_files_are_known()
    {
        var book = _folders.Write(
            "book.txt", string.Concat(Enumerable.Range(1, 3000).Select(i => $"line {i}\n{(i % 100 == 0 ? "\n" : "")}")));
        var text = _folders.Build(Manifests.Of([("book", book), ("notes", _folders.Texts("notes.jsonl", ["one", "two"]))]));
        var lines = File.ReadAllLines(book);
        var rows = text.Rows().ToList();
        Assert.InRange(rows.Count, 4, 20);
        foreach (var (row, record) in rows.Zip(text.Records(Split.Train)).Where(r => r.First.Source == "book"))
            Assert.StartsWith(lines[(int)row.Line!.Value - 1] + "\n", record.Text, StringComparison.Ordinal);
        Assert.Equal([1L, 2], rows.Where(r => r.Source == "notes").Select(r => r.Line!.Value));
    }

    [Fact]
    public void The_datasheet_names_no_folder_and_its_plots_are_drawn()
    {
        var text = _folders.Build(Manifest());
        foreach (var name in new[] { "datasheet.md", "datasheet.html" })
        {
            var sheet = File.ReadAllText(Path.Combine(text.Folder, name));
            Assert.DoesNotContain(Path.GetTempPath(), sheet, StringComparison.Ordinal);
            Assert.Contains("CC0-1.0", sheet, StringComparison.Ordinal);
            Assert.Contains("near-duplicates dropped notes/notes.jsonl:", sheet, StringComparison.Ordinal);
        }
        var page = System.Xml.Linq.XDocument.Parse(
            File.ReadAllText(Path.Combine(text.Folder, "datasheet.html")).Replace("<!DOCTYPE html>", "", StringComparison.Ordinal)
                .Replace("<meta charset=\"utf-8\">", "", StringComparison.Ordinal));
        var plots = page.Descendants().Where(e => e.Name.LocalName == "svg").ToList();
        Assert.Equal(4, plots.Count);
        Assert.Equal(2 * 2, plots[0].Elements().Count(e => e.Name.LocalName == "rect"));
        Assert.DoesNotContain("<b>", page.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_that_read_a_built_text_whole_are_of_that_build()
    {
        var text = _folders.Build(Manifest());
        Assert.Equal(text.Folder, BuiltText.Of(Settings(text))?.Folder);
        Assert.Equal(text.Folder, BuiltText.Of(Settings(text) with { Validation = [text.FolderOf(Split.Validation)] })?.Folder);
        Assert.Null(BuiltText.Of(Settings(text) with { Validation = [text.TextFolder] }));
        Assert.Null(BuiltText.Of(Settings(text) with { Include = ["kept-00000*"] }));
        Assert.Null(BuiltText.Of(Settings(text) with { Sources = [text.TextFolder, text.Folder] }));
        Assert.Null(BuiltText.Of(Settings(text) with { Sources = [text.Folder] }));
    }

    private static CorpusSettings Settings(BuiltText text) => Corpora.Settings(text.TextFolder) with { HeldOut = 0.2 };

    // Two sources; some texts are short, and some twice.
    private BuildManifest Manifest()
    {
        var notes = _folders.Records("notes.jsonl", Enumerable.Range(0, 40).Select(i => new
        {
            text = string.Join(' ', Enumerable.Range(i / 2 * 100, 6 + i / 2)) + (i % 7 == 0 ? " <b>" : ""),
            url = i % 3 == 0 ? $"https://example.com/{i}" : null,
        }));
        var book = _folders.Write("book.txt", string.Join("\n", Enumerable.Range(0, 40).Select(i => $"line {i} of a book")));
        var manifest = Manifests.Of(
            [("notes", notes), ("book", book)],
            "gopher-quality words=9,1000 word-length=1,10 least-alphabetic=0 least-stop-words=0", "near-duplicates words=2");
        return manifest with
        {
            Sources = [manifest.Sources[0] with { Licence = "CC0-1.0" }, manifest.Sources[1] with { Language = "en" }],
        };
    }

    private static async Task<T?[]> Numbers<T>(ParquetReader file, string name, int number = 0) where T : struct
    {
        using var group = file.OpenRowGroupReader(number);
        var values = new T?[group.RowCount];
        await group.ReadAsync<T>(Field(file, name), values.AsMemory());
        return values;
    }

    private static async Task<string?[]> Texts(ParquetReader file, string name, int number = 0)
    {
        using var group = file.OpenRowGroupReader(number);
        var values = new string?[group.RowCount];
        await group.ReadAsync(Field(file, name), values.AsMemory());
        return values;
    }

    private static DataField Field(ParquetReader file, string name) => file.Schema.GetDataFields().Single(f => f.Name == name);
}
