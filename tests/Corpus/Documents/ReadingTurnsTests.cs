namespace Elastic.Corpus.Tests;

/// <summary>Files that are read at once, for a mixture that is read while its corpus is built.</summary>
public sealed class ReadingTurnsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Each_file_has_come_as_far_as_the_others_at_any_time_and_keeps_its_order()
    {
        var files = Files(("a", 900), ("b", 300), ("c", 600));
        var read = Read(files, 1 << 20);
        Assert.Equal(1800, read.Count);
        Assert.All(read.GroupBy(n => n[0]), of => Assert.Equal(of.Order(StringComparer.Ordinal), of));
        var sofar = new Dictionary<char, int> { ['a'] = 0, ['b'] = 0, ['c'] = 0 };
        foreach (var name in read)
        {
            sofar[name[0]]++;
            // A turn of 2^18 characters is 262 documents of 1000.
            Assert.InRange(sofar['a'] - 3 * sofar['b'], -3 * 263, 263 + 263);
            Assert.InRange(2 * sofar['a'] - 3 * sofar['c'], -3 * 263, 2 * 263 + 263);
        }
        Assert.Equal(3, read.Take(800).Select(n => n[0]).Distinct().Count());
    }

    // Nodes take smaller batches than the tokenizers of one process.
    [Fact]
    public void The_order_does_not_depend_on_the_size_of_batches() =>
        Assert.Equal(Read(Files(("a", 500), ("b", 700)), 1 << 20), Read(Files(("a", 500), ("b", 700)), 5000));

    [Fact]
    public void Pieces_of_a_long_line_stay_together()
    {
        _folder.Write("in/a.txt", string.Concat(Enumerable.Repeat("word ", 400_000)) + "\n");
        _folder.Write("in/b.txt", string.Concat(Enumerable.Repeat("other ", 400_000)) + "\n");
        var documents = DocumentBatches.Read(CorpusSources.Resolve([_folder["in"]]), new(), 1 << 18, true, default)
            .SelectMany(batch => batch.Documents).ToList();
        Assert.Contains(documents, d => d.IsContinued);
        Assert.All(documents.Zip(documents.Skip(1)).Where(p => p.First.IsContinued), p => Assert.Equal(p.First.Source, p.Second.Source));
    }

    [Fact]
    public void The_text_of_a_source_of_a_build_is_one_series_and_neighbours_are_joined_where_there_are_many()
    {
        string[] names =
        [
            "kept-00000-00000.jsonl.zst", "kept-00000-00001.jsonl.zst", "kept-00001-00002.jsonl.zst", "kept-00003.jsonl.zst",
            "kept-00004.jsonl.zst", "notes.jsonl", "other-00000.jsonl",
        ];
        var files = names.Select(n => new SourceFile(_folder.Write(n, "x"), n, DocumentFormat.JsonLines)).ToList();
        files.Add(files[2] with { IsValidation = true });
        Assert.Equal([2, 1, 2, 1, 1, 1], ReadingTurns.SeriesOf(files).Select(s => s.Count));

        var many = Enumerable.Range(0, 1000)
            .Select(i => new SourceFile(_folder.Write($"{i:0000}.txt", new string('x', i % 7)), $"{i:0000}.txt", DocumentFormat.Text))
            .ToList();
        var joined = ReadingTurns.SeriesOf(many);
        Assert.Equal(ReadingTurns.MostSeries, joined.Count);
        Assert.Equal(many, joined.SelectMany(s => s));
        Assert.All(joined, s => Assert.InRange(s.Sum(f => f.Length), 60, 130));
    }

    // Names and numbers of documents, in their order.
    private static List<string> Read(IReadOnlyList<SourceFile> files, int characters) =>
        [.. DocumentBatches.Read(files, new(), characters, true, default).SelectMany(b => b.Documents).Select(d => d.Text[..5])];

    // Documents of 1000 characters that begin with name and number.
    private IReadOnlyList<SourceFile> Files(params (string Name, int Documents)[] files)
    {
        foreach (var (name, documents) in files)
            _folder.Write($"in/{name}.jsonl", string.Concat(Enumerable.Range(0, documents)
                .Select(i => $$"""{"text": "{{name}}{{i:0000}}{{new string('x', 995)}}"}""" + "\n")));
        return CorpusSources.Resolve([_folder["in"]]);
    }
}
