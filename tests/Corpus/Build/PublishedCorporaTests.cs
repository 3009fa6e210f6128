using System.IO.Compression;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using Elastic.Corpus.Build;
using Elastic.Messages.Settings;
using Parquet;
using Parquet.Schema;

namespace Elastic.Corpus.Tests.Build;

/// <summary>What others publish is read as they publish it, with what their records say besides the text.</summary>
public sealed class PublishedCorporaTests : IDisposable
{
    private readonly BuiltFolders _folders = new();
    private readonly TemporaryFolder _files = new();

    public void Dispose()
    {
        _folders.Dispose();
        _files.Dispose();
    }

    [Fact]
    public void Records_of_C4_are_lines_of_a_json_gz_and_other_json_of_the_folder_is_passed_over()
    {
        Write("c4/en/c4-train.00000-of-01024.json.gz", """
            {"text":"the first page","timestamp":"2019-04-25T12:57:54Z","url":"https://klyq.example/beginners"}
            {"text":"the second page","timestamp":"2019-04-21T10:07:13Z","url":"https://www.spam.example/shop/1"}
            """);
        Write("c4/dataset_infos.json", "{\n  \"text\": {\"dtype\": \"string\"}\n}\n");
        Write("c4/settings.json", """{"features": ["text"], "rows": 2}""");
        Write("c4/list.json", """[{"text": "a list"}, {"text": "of two"}]""");
        var blocked = _files.Write("blocked.txt", "spam.example\n");
        var built = _folders.Build(Manifests.OfSources(
            [("name", "c4"), ("paths[]", _files["c4"]), ("date-field", "timestamp"), ("block-lists[]", blocked)]));
        var row = Assert.Single(built.Rows());
        Assert.Equal(("https://klyq.example/beginners", "2019-04-25T12:57:54Z"), (row.Url, row.Date));
        Assert.Equal("en/c4-train.00000-of-01024.json.gz:1", row.Name);
        var rejects = RejectsOf(built);
        Assert.Contains("source c4: not read: 3 .json", rejects, StringComparison.Ordinal);
        Assert.Contains("https://www.spam.example/shop/1 is in a block list", rejects, StringComparison.Ordinal);
        Assert.Empty(built.Report.WithoutUrl);
        Refusal.Says("list.json holds no records of JSON, one a line", () => CorpusSources.Resolve([_files["c4/list.json"]]));
    }

    [Fact]
    public void Json_in_an_archive_is_read_where_it_is_lines_of_records()
    {
        using (var archive = ZipFile.Open(_files["a.zip"], ZipArchiveMode.Create))
        {
            foreach (var (name, text) in new[] { ("a.json", "{\"text\": \"a record\"}\n"), ("package.json", "{\n\"name\": \"x\"\n}") })
            {
                using var member = new StreamWriter(archive.CreateEntry(name).Open());
                member.Write(text);
            }
        }
        var built = _folders.Build(Manifests.OfSources([("name", "zip"), ("paths[]", _files["a.zip"]), ("on-reject", "stop")]));
        Assert.Equal(["a record"], built.Records(Split.Train).Select(r => r.Text));
        Assert.Contains("package.json holds no records of JSON, one a line", RejectsOf(built), StringComparison.Ordinal);
    }

    // A line that is broken, and a file that is damaged in its first bytes, are no JSON of another kind.
    [Fact]
    public void Records_behind_damage_are_read_and_the_damage_is_named()
    {
        Write("in/a.json", "{\"text\": broken}\n{\"text\": \"behind it\"}\n");
        Write("in/b.json.gz", "{\"text\": \"the first one\"}\n{\"text\": \"the second one\"}\n");
        var whole = File.ReadAllBytes(_files["in/b.json.gz"]);
        _files.Write("in/b.json.gz", whole[..^12]);
        // A frame that asks for 4 GiB.
        using (var archive = ZipFile.Open(_files["in/c.zip"], ZipArchiveMode.Create))
        {
            using (var member = archive.CreateEntry("a.json.zst").Open())
                member.Write([0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xB0, 1, 0, 0]);
            using (var member = archive.CreateEntry("b.txt").Open())
                member.Write("the next member"u8);
        }
        (string, string)[] source = [("name", "in"), ("paths[]", _files["in"])];
        var built = _folders.Build(Manifests.OfSources(source));
        var texts = built.Records(Split.Train).Select(r => r.Text).ToList();
        Assert.Contains("behind it", texts);
        Assert.Contains("the next member", texts);
        var rejects = RejectsOf(built);
        foreach (var said in new[] { "a.json:1", "b.json.gz", "c.zip:a.json.zst" })
            Assert.Contains(said, rejects, StringComparison.Ordinal);
        Refusal.Says("its on-reject is stop", () => _folders.Build(Manifests.OfSources([
            ("name", "in"), ("paths[]", $"{_files["in/a.json"]}|{_files["in/b.json.gz"]}"), ("on-reject", "stop"),
        ])));
    }

    [Fact]
    public void A_page_of_a_crawl_that_is_in_a_block_list_is_not_even_parsed()
    {
        // More of these than the parser bears.
        var page = $"<p>words{string.Concat(Enumerable.Repeat("</>", 2000))}";
        Write("a.warc", string.Concat(new[] { "http://bad.example/p", "http://good.example/p" }.Select(url =>
            $"WARC/1.0\r\nWARC-Type: resource\r\nWARC-Target-URI: {url}\r\nContent-Type: text/html\r\n"
            + $"Content-Length: {page.Length}\r\n\r\n{page}\r\n\r\n")) + "WARC/1.0\r\nWARC-Type: resource\r\n"
            + "WARC-Target-URI: http://good.example/q\r\nContent-Type: text/html\r\nContent-Length: 8\r\n\r\n<p>words\r\n\r\n");
        var built = _folders.Build(Manifests.OfSources([
            ("name", "a"), ("paths[]", _files["a.warc"]), ("block-lists[]", _files.Write("blocked.txt", "bad.example\n")),
        ]));
        Assert.Equal("http://good.example/q", Assert.Single(built.Rows()).Url);
        Assert.Equal((1, 1), (built.Report.Malformed, built.Report.Unread));
        Assert.Contains("http://bad.example/p is in a block list", RejectsOf(built), StringComparison.Ordinal);
    }

    [Fact]
    public void An_address_that_is_too_long_is_none_in_lines_as_in_tables()
    {
        var url = $"https://a.example/{new string('x', RecordFields.LongestValue)}";
        Write("a.jsonl", $"{{\"text\": \"one\", \"url\": \"{url}\"}}\n");
        Write("b.csv", $"text,url\ntwo,{url}\n");
        foreach (var name in new[] { "a.jsonl", "b.csv" })
            Assert.Null(Assert.Single(_folders.Build(Manifests.OfSources([("name", "a"), ("paths[]", _files[name])])).Rows()).Url);
    }

    [Fact]
    public void Fields_of_Dolma_lie_in_other_fields_and_attributes_choose_documents()
    {
        Write("dolma/0000.json.gz", """
            {"id":"1","text":"kept","source":"web","metadata":{"url":"https://a.example/1","lang":{"code":"en"}},"attributes":{"toxic":0.1}}
            {"id":"2","text":"toxic","source":"web","metadata":{"url":"https://a.example/2"},"attributes":{"toxic":0.9}}
            {"id":"3","text":"no attributes","source":"web","metadata":{"url":7,"lang":["x"]},"attributes":null}
            """);
        var manifest = Manifests.OfSources([
            ("name", "dolma"), ("paths[]", _files["dolma"]), ("url-field", "metadata.url"), ("language-field", "metadata.lang.code"),
        ]);
        var built = _folders.Build(manifest with { Stages = Stages("field field=attributes.toxic at-most=0.5") });
        Assert.Equal(["https://a.example/1", "https://a.example/2", "7"], built.Rows().Select(r => r.Url));
        Assert.Equal("en", built.Rows().First().Language);
        Assert.Equal(
            [
                null, "the field attributes.toxic of its record is 0.9, and at most 0.5 are wanted",
                "its record has no number in the field attributes.toxic",
            ],
            built.Rows().Select(r => r.Why));

        // Which limit holds reads nothing anew; whether a word does.
        IEnumerable<string> Kept(string stage) =>
            _folders.Build(manifest with { Stages = Stages(stage) }).Records(Split.Train).Select(r => r.Text);
        Assert.Equal(["kept", "no attributes"], Kept("field field=attributes.toxic at-most=0.5 missing=keep"));
        Assert.Equal(["toxic"], Kept("field field=id one-of=2,9"));
    }

    [Fact]
    public async Task Columns_of_FineWeb_are_metadata_by_which_lists_scopes_and_scores_decide()
    {
        await WriteParquet("fineweb/000_00000.parquet");
        var manifest = Manifests.OfSources([
            ("name", "fineweb"), ("paths[]", _files["fineweb"]), ("block-lists[]", _files.Write("blocked.txt", "spam.example\n")),
        ]);
        var built = _folders.Build(
            manifest with { Stages = Stages("field field=int_score at-least=3", "field field=language_score at-least=0.65") });
        Assert.Equal(["https://a.example/0", "https://a.example/1", "https://a.example/2"], built.Rows().Select(r => r.Url));
        Assert.Equal(["2013-05-18T05:30:00Z", null, null], built.Rows().Select(r => r.Date));
        Assert.Equal(["en", "de", null], built.Rows().Select(r => r.Language));
        Assert.Equal(
            [
                null, "the field int_score of its record is 2, and at least 3 are wanted",
                "its record has no number in the field language_score",
            ],
            built.Rows().Select(r => r.Why));
        Assert.Equal(0.65, built.Rows().First().Signals["field.language_score"]);

        // A stage for German leaves what the column says is English alone.
        var german = _folders.Build(manifest with { Stages = Stages("gopher-quality languages=de") });
        Assert.Equal([0, 2], german.Records(Split.Train).Select(r => r.Id));
        Refusal.Says("has no column \"adress\" of strings (it has", () => _folders.Build(Manifests.OfSources(
            [("name", "fineweb"), ("paths[]", _files["fineweb"]), ("url-field", "adress")])));
    }

    [Fact]
    public void Columns_of_CSV_and_of_Arrow_are_metadata_as_well()
    {
        Write("a.csv", "text,link,lang,score\none,https://a.example/1,fr,4\ntwo,,,\n");
        var (texts, links) = (new StringArray.Builder().Append("three").Append("four").Build(),
            new StringArray.Builder().Append("https://a.example/3").AppendNull().Build());
        var batch = new RecordBatch.Builder().Append("text", true, texts).Append("link", true, links).Append("lang", true, links)
            .Append("score", true, new DoubleArray.Builder().Append(4.5).AppendNull().Build()).Build();
        using (var file = File.Create(_files["b.arrow"]))
        using (var writer = new ArrowStreamWriter(file, batch.Schema))
        {
            writer.WriteRecordBatch(batch);
            writer.WriteEnd();
        }
        foreach (var (name, url, score) in new[] { ("a.csv", "https://a.example/1", 4.0), ("b.arrow", "https://a.example/3", 4.5) })
        {
            var keys = new[] { ("name", "t"), ("paths[]", _files[name]), ("url-field", "link"), ("language-field", "lang") };
            var manifest = Manifests.OfSources(keys);
            var built = _folders.Build(manifest with { Stages = Stages("field field=score at-least=4 missing=keep") }, name);
            Assert.Equal([url, null], built.Rows().Select(r => r.Url));
            Assert.Equal([score, 0], built.Rows().Select(r => r.Signals["field.score"]));
            var wrong = Manifests.OfSources([.. keys, ("date-field", "when"), ("on-reject", "continue")]);
            Refusal.Says("has no column \"when\"", () => _folders.Build(wrong, name));
        }
    }

    [Fact]
    public void Text_that_a_crawl_extracted_is_read_under_the_name_that_Common_Crawl_gives_it()
    {
        var text = "What the page says.";
        Write("CC-MAIN-00000.warc.wet.gz",
            "WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Type: application/warc-fields\r\nContent-Length: 0\r\n\r\n\r\n\r\n"
            + "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a.example/p\r\nWARC-Date: 2024-02-21T00:00:00Z\r\n"
            + $"Content-Type: text/plain\r\nContent-Length: {text.Length}\r\n\r\n{text}\r\n\r\n");
        var row = Assert.Single(_folders.Build(Manifests.OfSources(
            [("name", "wet"), ("paths[]", _files["CC-MAIN-00000.warc.wet.gz"])])).Rows());
        Assert.Equal(("http://a.example/p", "2024-02-21T00:00:00Z", text.Length), (row.Url, row.Date, row.Bytes));
    }

    [Fact]
    public void Documents_that_a_list_of_URLs_cannot_reach_are_said_once_a_source()
    {
        Write("a.jsonl", """
            {"text": "one", "link": "https://ham.example/"}
            {"text": "two"}
            {"text": "three", "url": "http://a.example"}
            """);
        const string Said = "source a: 2 documents without a URL: neither block lists nor takedown.urls keep any of them out";
        (string, string)[] a = [("name", "a"), ("paths[]", _files["a.jsonl"])];
        var blocks = ("block-lists[]", _files.Write("blocked.txt", "spam.example\n"));
        var built = _folders.Build(Manifests.OfSources([.. a, blocks]));
        Assert.StartsWith(Said, Assert.Single(built.Report.NotReachedByUrl()), StringComparison.Ordinal);
        Assert.Contains(Said, RejectsOf(built), StringComparison.Ordinal);
        var down = Manifests.OfSources(a) with
        {
            TakeDowns = TakeDowns.Of(SettingsRecord.DefaultsOf<TakeDownSettings>() with { Urls = ["http://b.example"] }),
        };
        Assert.StartsWith(Said, Assert.Single(_folders.Build(down).Report.NotReachedByUrl()), StringComparison.Ordinal);

        // Nothing to say where paths are blocked, where the field is named, and where nothing goes by URLs.
        var paths = ("block-lists[]", _files.Write("paths.txt", "path drafts\n"));
        Assert.Empty(_folders.Build(Manifests.OfSources([.. a, paths])).Report.WithoutUrl);
        Assert.Empty(_folders.Build(Manifests.OfSources(a)).Report.WithoutUrl);
        Assert.Equal(2, Assert.Single(
            _folders.Build(Manifests.OfSources([.. a, blocks, ("url-field", "link")])).Report.WithoutUrl).Documents);
    }

    [Theory]
    [InlineData("field field=x", "the stage field drops nothing of x: set at-least, at-most or one-of")]
    [InlineData("field at-least=1", "name the field, e.g. field = int_score")]
    [InlineData("field field=x at-least=2 at-most=1", "field.at-least is above field.at-most")]
    [InlineData("field field=x at-least=2 one-of=a", "name the stage twice for both")]
    public void A_stage_that_cannot_decide_is_refused(string stage, string problem) => Refusal.Says(problem, () => Stages(stage));

    private static IReadOnlyList<PlannedStage> Stages(params string[] stages) => Manifests.Of([("x", "x")], stages).Stages;

    private static string RejectsOf(BuiltText built) => File.ReadAllText(Path.Combine(built.Folder, "rejects.txt"));

    private void Write(string name, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        if (name.EndsWith(".gz", StringComparison.Ordinal))
        {
            using var packed = new MemoryStream();
            using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
                gzip.Write(bytes);
            bytes = packed.ToArray();
        }
        _files.Write(name, bytes);
    }

    private async Task WriteParquet(string name)
    {
        DataField<string> text = new("text"), url = new("url"), date = new("date"), language = new("language");
        var (score, whole) = (new DataField<double?>("language_score"), new DataField<long>("int_score"));
        using var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(text, url, date, language, score, whole), file))
        {
            using var rows = writer.CreateRowGroup();
            await rows.WriteAsync(text, ["good", "worse", "no score", "spam"]);
            await rows.WriteAsync(url, ["https://a.example/0", "https://a.example/1", "https://a.example/2", "https://spam.example/"]);
            await rows.WriteAsync(date, ["2013-05-18T05:30:00Z", null, null, null]);
            await rows.WriteAsync(language, ["en", "de", null, "en"]);
            await rows.WriteAsync<double>(score, new double?[] { 0.65, 0.9, null, 1 });
            await rows.WriteAsync<long>(whole, new long[] { 4, 2, 3, 5 });
        }
        _files.Write(name, file.ToArray());
    }
}
