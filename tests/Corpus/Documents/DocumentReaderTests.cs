using System.Text;
using Elastic.Foundation;
using Parquet;
using Parquet.Schema;
using ZstdSharp;

namespace Elastic.Corpus.Tests;

public class DocumentReaderTests
{
    private readonly ReadStatistics _statistics = new();

    [Fact]
    public void Invalid_UTF8_is_replaced_and_counted()
    {
        var text = Single("a.txt", [0x61, 0xFF, 0x62, 0xC3, 0x28, 0xE2, 0x82]).Text;
        Assert.Equal("a\uFFFDb\uFFFD(\uFFFD", text);
        Assert.Equal(3, _statistics.InvalidUtf8Sequences);
    }

    [Fact]
    public void Invalid_UTF8_is_counted_wherever_the_buffers_end()
    {
        foreach (var length in new[] { 4095, 65534, 65535, 65536, 131071 })
        {
            var statistics = new ReadStatistics();
            byte[] bytes = [.. Enumerable.Repeat((byte)'a', length), 0xE2, 0x82, (byte)'b', (byte)'\n'];
            using var folder = new TemporaryFolder();
            var file = CorpusSources.Resolve([folder.Write("a.txt", bytes)])[0];
            Assert.Equal(
                new string('a', length) + "\uFFFDb",
                string.Concat(DocumentReader.Read(file, statistics).Select(d => d.Text)).TrimEnd());
            Assert.Equal(1, statistics.InvalidUtf8Sequences);
        }
    }

    [Fact]
    public void Invalid_UTF8_is_counted_after_a_byte_order_mark_too()
    {
        Assert.Equal("a\uFFFDb", Single("a.txt", [0xEF, 0xBB, 0xBF, 0x61, 0xFF, 0x62]).Text);
        Assert.Equal(1, _statistics.InvalidUtf8Sequences);
    }

    [Fact]
    public void A_byte_order_mark_of_UTF16_decides_the_encoding() => Assert.Equal("é", Single("a.txt", [0xFF, 0xFE, 0xE9, 0]).Text);

    [Fact]
    public void A_byte_order_mark_is_no_text() => Assert.Equal("é", Single("a.txt", [0xEF, 0xBB, 0xBF, 0xC3, 0xA9]).Text);

    [Fact]
    public void Documents_without_text_are_skipped_and_counted()
    {
        Assert.Empty(Read("a.txt", " \n\t\n"u8.ToArray()));
        Assert.Empty(Read("b.txt", []));
        Assert.Equal((1, 0), (_statistics.EmptyDocuments, _statistics.Documents));
    }

    [Fact]
    public void Malformed_lines_are_skipped_and_recorded_with_file_and_line()
    {
        var documents = Read("a.jsonl", """
            {"text": "one", "source": "Web"}
            {"text": "tw
            {"title": "no text"}

            {"text": 5}
            [1]
            {"text": "bad \x"}
            {"text": "last", "meta": {"pile_set_name": "Books3"}, "source": "Web"}
            """u8.ToArray());
        Assert.Equal([("Web", "a.jsonl:1", "one"), ("Books3", "a.jsonl:8", "last")], documents.Select(d => (d.Source, d.Name, d.Text)));
        Assert.Equal([2, 3, 5, 6, 7], _statistics.Malformed.Select(m => m.Line));
        Assert.All(_statistics.Malformed, m => Assert.Equal("a.jsonl", m.File));
        Assert.Equal(5, _statistics.MalformedRecords);
    }

    [Fact]
    public void Invalid_UTF8_in_a_JSON_line_is_replaced_and_counted()
    {
        Assert.Equal("a\uFFFDb", Single("a.jsonl", [.. "{\"text\": \"a"u8, 0xFF, .. "b\"}\n"u8]).Text);
        Assert.Equal((1, 0), (_statistics.InvalidUtf8Sequences, _statistics.MalformedRecords));
    }

    [Fact]
    public void Long_JSON_lines_and_carriage_returns_are_read()
    {
        var texts = new[] { new string('x', 300_000), "short", new string('y', 140_000) };
        var documents = Read("a.jsonl", Encoding.UTF8.GetBytes(string.Concat(texts.Select(t => $"{{\"text\": \"{t}\"}}\r\n"))));
        Assert.Equal(texts, documents.Select(d => d.Text));
    }

    [Fact]
    public void A_line_that_no_memory_holds_is_named_with_file_and_number()
    {
        var text = $"{new string('a', 1000)}\n{new string('b', 1023)}\n{new string('c', 1024)}\n";
        var file = new SourceFile("a.jsonl", "a.jsonl", DocumentFormat.JsonLines)
        {
            Reading = Reading.Default with { LongestRecord = 1024 },
        };
        var lines = new Utf8Lines(new MemoryStream(Encoding.UTF8.GetBytes(text)), file, _statistics);
        Assert.True(lines.TryRead(out var first) && first.Length == 1000);
        Assert.True(lines.TryRead(out var second) && second.Length == 1023);
        Refusal.Says("a.jsonl has a line 3 of more than 1024 bytes", () => lines.TryRead(out _));
    }

    [Fact]
    public void Compressed_lines_are_read_like_plain_ones_until_the_data_breaks()
    {
        var lines = Encoding.UTF8.GetBytes(string.Concat(
            Enumerable.Range(0, 50_000).Select(i => $"{{\"text\": \"document {i * 7919}\"}}\n")));
        using var compressor = new Compressor();
        var compressed = compressor.Wrap(lines).ToArray();
        Assert.Equal(50_000, Read("a.jsonl.zst", compressed).Count);
        Assert.Empty(_statistics.Malformed);
        using var folder = new TemporaryFolder();
        var cut = CorpusSources.Resolve([folder.Write("b.jsonl.zst", compressed[..(compressed.Length / 2)])])[0];
        Refusal.Says("b.jsonl.zst is cut short or damaged", () => DocumentReader.Read(cut, new()).ToList());
        var passedOver = cut with { Reading = cut.Reading with { PassesOverRejects = true } };
        Assert.InRange(DocumentReader.Read(passedOver, _statistics).Count(), 1, 49_999);
        Assert.Equal("b.jsonl.zst", Assert.Single(_statistics.Malformed).File);
    }

    [Fact]
    public async Task Parquet_is_read_row_group_by_row_group()
    {
        var documents = Read("a.parquet", await ParquetBytes(["one", null], ["two", "three"]));
        Assert.Equal([("Web", "one"), ("Web", "two"), ("a.parquet", "three")], documents.Select(d => (d.Source, d.Text)));
        Assert.Equal(1, _statistics.EmptyDocuments);
    }

    [Fact]
    public async Task A_damaged_row_group_is_left_out_and_recorded_with_file_and_number()
    {
        string?[][] groups = [["one", "two"], .. Enumerable.Repeat<string?[]>(["three", "four"], 10)];
        var bytes = await ParquetBytes(groups);
        bytes.AsSpan(4, 20).Fill(0xFF); // the first page's header
        Assert.Equal(groups[1..].SelectMany(g => g), Read("a.parquet", bytes).Select(d => d.Text));
        var malformed = Assert.Single(_statistics.Malformed);
        Assert.StartsWith("a.parquet row group 0 cannot be read", malformed.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("2 of its 2 rows are left out", malformed.Reason, StringComparison.Ordinal);
        Assert.Equal(2, _statistics.MalformedRecords);
    }

    [Fact]
    public async Task A_Parquet_file_that_loses_more_than_a_tenth_of_its_rows_is_refused()
    {
        var bytes = await ParquetBytes([["one", "two"], .. Enumerable.Repeat<string?[]>(["three", "four"], 8)]);
        bytes.AsSpan(4, 20).Fill(0xFF);
        Refusal.Says("a.parquet is damaged: 2 of its 18 rows are lost, more than 10 %; row group 0", () => Read("a.parquet", bytes));
    }

    [Fact]
    public async Task Whatever_byte_of_a_Parquet_file_is_damaged_the_error_names_the_file()
    {
        var bytes = await ParquetBytes(["one", "two"], ["three", "four"]);
        for (var i = 0; i < bytes.Length; i++)
        {
            var damaged = bytes.ToArray();
            damaged[i] ^= 0xFF;
            try
            {
                Read("a.parquet", damaged);
            }
            catch (ElasticException e)
            {
                Assert.Contains("a.parquet", e.Message, StringComparison.Ordinal);
            }
            catch (Exception e)
            {
                Assert.Fail($"byte {i} of {bytes.Length}: {e}");
            }
        }
        Assert.True(_statistics.MalformedRecords > 0);
    }

    [Fact]
    public async Task Parquet_without_a_text_column_names_those_it_has()
    {
        using var folder = new TemporaryFolder();
        var body = new DataField<string>("body");
        await using (var file = File.Create(folder["a.parquet"]))
        {
            await using var writer = await ParquetWriter.CreateAsync(new ParquetSchema(body), file);
            using var rows = writer.CreateRowGroup();
            await rows.WriteAsync(body, ["x"]);
        }
        Refusal.Says(
            "no column \"text\" of strings (it has body)",
            () => DocumentReader.Read(CorpusSources.Resolve([folder["a.parquet"]])[0], _statistics).ToList());
    }

    [Fact]
    public void What_is_not_Parquet_is_named() =>
        Refusal.Says("a.parquet is not a Parquet file", () => Read("a.parquet", "hello"u8.ToArray()));

    [Fact]
    public void A_page_becomes_lines_without_scripts_or_styles() =>
        Assert.Equal("Title\nHead\nSome bold text.\nnext\n- a\n  b\ncell 1 cell 2\n",
            Single("a.html", """
                <html><head><title>Title</title><style>p {}</style></head><body><script>var x;</script>
                <h1>Head</h1><p>Some <b>bold</b>
                  text.</p>next<pre>- a
                  b</pre><table><tr><td>cell 1</td><td>cell 2</td></tr></table></body></html>
                """u8.ToArray()).Text);

    [Fact]
    public void A_page_may_nest_deeply() =>
        Assert.Equal("deep\n", Single("a.html", Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("<div>", 3_000)) + "deep")).Text);

    [Fact]
    public void Any_XML_gives_its_text() =>
        Assert.Equal("Title\nSome bold text, 1 < 2.\none\ntwo",
            Single("a.xml", """
                <book><title>Title</title>
                  <p>Some <b>bold</b> text, 1 &lt; 2.</p>
                  <i>one</i><i>two</i><!-- not this -->
                </book>
                """u8.ToArray()).Text.TrimEnd());

    [Theory]
    [InlineData("windows-1251", "windows-1251", "Привет, мир")]
    [InlineData("windows-1252", "windows-1252", "café – 5 €")]
    [InlineData("iso-8859-1", "ISO-8859-1", "naïve")]
    [InlineData("shift_jis", "Shift_JIS", "日本語")]
    [InlineData("utf-16", "utf-16", "日本語 é")]
    [InlineData("utf-16BE", "UTF-16", "日本語 é")]
    [InlineData("utf-8", "utf-16", "converted, but é still declares what it was")]
    [InlineData("utf-8", "utf-8", "日本語 é")]
    public void XML_is_decoded_as_it_declares(string encoding, string declared, string text)
    {
        var xml = $"<?xml version='1.0' encoding=\"{declared}\"?>\n<p>{text}</p>";
        Assert.Equal(text, Single("a.xml", EncodingOf(encoding).GetBytes(xml)).Text.Trim());
        Assert.Equal((0, 0), (_statistics.InvalidUtf8Sequences, _statistics.MalformedRecords));
    }

    [Fact]
    public void XML_in_an_encoding_that_nobody_knows_is_malformed_and_invalid_UTF8_in_it_is_counted()
    {
        Assert.Empty(Read("a.xml", "<?xml version='1.0' encoding='x-none'?><p>a</p>"u8.ToArray()));
        Assert.Equal(1, _statistics.MalformedRecords);
        Assert.Equal("a\uFFFDb", Single("b.xml", [.. "<p>a"u8, 0xFF, .. "b</p>"u8]).Text.Trim());
        Assert.Equal((1, 1), (_statistics.InvalidUtf8Sequences, _statistics.MalformedRecords));
    }

    [Theory]
    [InlineData("windows-1251", "windows-1251", "Привет, мир")]
    [InlineData("windows-1252", "iso-8859-1", "café – 5 €")]
    [InlineData("shift_jis", "Shift_JIS", "日本語")]
    [InlineData("utf-8", "utf-8", "日本語 é")]
    [InlineData("utf-8", null, "日本語 é")]
    public void Pages_are_decoded_as_they_declare(string encoding, string? declared, string text)
    {
        var meta = declared is null ? "" : $"<meta http-equiv=Content-Type content='text/html; charset={declared}'>";
        var words = string.Concat(Enumerable.Repeat(text + " ", 3000)).Trim();
        var page = $"<html><head>{meta}<title>{text}</title></head><body><p>{words}</p></body></html>";
        Assert.Equal($"{text}\n{words}\n", Single("a.html", EncodingOf(encoding).GetBytes(page)).Text);
        Assert.Equal(0, _statistics.InvalidUtf8Sequences);
    }

    [Fact]
    public void Invalid_UTF8_in_a_page_is_replaced_and_counted()
    {
        Assert.Equal("a\uFFFDb\n", Single("a.html", [0xEF, 0xBB, 0xBF, .. "<p>a"u8, 0xFF, .. "b"u8]).Text);
        Assert.Equal(1, _statistics.InvalidUtf8Sequences);
    }

    [Fact]
    public void XML_is_read_up_to_where_it_is_malformed()
    {
        var documents = Read("a.xml", "<book>\n<p>good</p>\n<p>bad</q>\n</book>"u8.ToArray());
        Assert.Contains("good", Assert.Single(documents).Text, StringComparison.Ordinal);
        Assert.Equal(3, Assert.Single(_statistics.Malformed).Line);
        Assert.Empty(Read("b.xml", "no XML at all"u8.ToArray()));
        Assert.Equal(2, _statistics.MalformedRecords);
    }

    [Fact]
    public void Long_text_is_cut_at_blank_lines_and_nothing_is_lost()
    {
        var paragraph = string.Concat(Enumerable.Repeat("All work and no play makes a dull text.\n", 25)) + "\n";
        var text = string.Concat(Enumerable.Repeat(paragraph, 100));
        var documents = Read("book.txt", Encoding.UTF8.GetBytes(text));
        Assert.Equal(text, string.Concat(documents.Select(d => d.Text)));
        Assert.All(documents.SkipLast(1), d => Assert.EndsWith(".\n\n", d.Text, StringComparison.Ordinal));
        Assert.All(documents.SkipLast(1), d => Assert.InRange(d.Text.Length, TextPieces.Target, TextPieces.Target + paragraph.Length));
        Assert.Equal(["book.txt", "book.txt#2"], documents.Take(2).Select(d => d.Name));
        Assert.All(documents, d => Assert.Equal("book.txt", d.Source));
    }

    [Fact]
    public void A_line_without_an_end_is_cut_between_characters()
    {
        var text = "a" + string.Concat(Enumerable.Repeat("😀", 150_000));
        var documents = Read("line.txt", Encoding.UTF8.GetBytes(text));
        Assert.True(documents.Count > 3);
        Assert.Equal(text, string.Concat(documents.Select(d => d.Text)));
        Assert.All(documents, d => Assert.False(char.IsLowSurrogate(d.Text[0])));
    }

    [Fact]
    public void Ends_of_lines_become_newlines() => Assert.Equal("a\nb\nc\n\nd", Single("a.txt", "a\r\nb\rc\n\nd"u8.ToArray()).Text);

    [Fact]
    public void Statistics_count_documents_and_bytes()
    {
        Read("a.txt", "abc"u8.ToArray());
        Read("b.txt", "é"u8.ToArray());
        Assert.Equal((2, 5), (_statistics.Documents, _statistics.Bytes));
    }

    [Fact]
    public void Token_shards_hold_no_text() =>
        Refusal.Says("holds tokens", () => Read("a.bin", [1]));

    // A row group for each list of texts, from "Web" and from nowhere in turns.
    private static async Task<byte[]> ParquetBytes(params string?[][] groups)
    {
        var (text, source) = (new DataField<string>("text"), new DataField<string>("source"));
        using var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(text, source), file))
        {
            foreach (var group in groups)
            {
                using var rows = writer.CreateRowGroup();
                await rows.WriteAsync(text, group!);
                await rows.WriteAsync(source, ["Web", ""]);
            }
        }
        return file.ToArray();
    }

    private static Encoding EncodingOf(string name)
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        return Encoding.GetEncoding(name);
    }

    private Document Single(string name, byte[] bytes) => Assert.Single(Read(name, bytes));

    private List<Document> Read(string name, byte[] bytes)
    {
        using var folder = new TemporaryFolder();
        return [.. DocumentReader.Read(CorpusSources.Resolve([folder.Write(name, bytes)])[0], _statistics)];
    }
}
