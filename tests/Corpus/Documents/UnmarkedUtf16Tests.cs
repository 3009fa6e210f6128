using System.Text;

namespace Elastic.Corpus.Tests;

/// <summary>UTF-16 without a byte order mark is recognised by its bytes, and nothing else is taken for it.</summary>
public sealed class UnmarkedUtf16Tests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ReadStatistics _statistics = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("wide \u00E9")]
    [InlineData("a")]
    [InlineData("Plain English, with \u201Cquotes\u201D \u2014 and a few dashes.\r\nA second line, 17 %.\r\n")]
    [InlineData("\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440! \u042D\u0442\u043E \u0442\u0435\u043A\u0441\u0442.\n")]
    [InlineData("\u0397 \u03B5\u03BB\u03BB\u03B7\u03BD\u03B9\u03BA\u03AE \u03B3\u03BB\u03CE\u03C3\u03C3\u03B1.\n")]
    [InlineData("\u092F\u0939 \u090F\u0915 \u0935\u093E\u0915\u094D\u092F \u0939\u0948, \u0914\u0930 \u092F\u0939 "
        + "\u0926\u0942\u0938\u0930\u093E\u0964\n")]
    [InlineData("\u0647\u0630\u0627 \u0646\u0635 \u0628\u0627\u0644\u0639\u0631\u0628\u064A\u0629.\n")]
    [InlineData("\u4E00\u4E2A\u6C11\u65CF\u7684\u5386\u53F2\uFF0C\u662F\u4E00\u90E8\u4E66\u3002\n"
        + "\u7B2C2\u7AE0 \u4EBA\u6C11\u5171\u548C\u56FD\n")]
    [InlineData("\u3053\u308C\u306F\u65E5\u672C\u8A9E\u306E\u6587\u7AE0\u3067\u3059\u3002\n\u4ECA\u65E5\u306F10\u6708\u3067\u3059\u3002\n")]
    [InlineData("\uD55C\uAD6D\uC5B4 \uBB38\uC7A5\uC785\uB2C8\uB2E4. \uB450 \uBC88\uC9F8 \uBB38\uC7A5.\n")]
    [InlineData("smiles \uD83D\uDE00\uD83D\uDE01 and text \uD83D\uDE00\n")]
    public void Text_of_many_scripts_is_recognised_with_either_byte_first_and_its_UTF8_is_not(string text)
    {
        foreach (var times in new[] { 1, 500 })
        {
            var all = string.Concat(Enumerable.Repeat(text, times));
            foreach (var encoding in new[] { Encoding.Unicode, Encoding.BigEndianUnicode })
            {
                Assert.Equal(encoding.WebName, UnmarkedUtf16.Of(encoding.GetBytes(all))?.WebName);
                Assert.Null(UnmarkedUtf16.Of([.. encoding.GetPreamble(), .. encoding.GetBytes(all)]));
            }
            Assert.Null(UnmarkedUtf16.Of(Encoding.UTF8.GetBytes(all)));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("one\0two\0three\0")]
    [InlineData("ABCDEFG\0HIJKLMN\0OPQRSTU\0")]
    [InlineData("abc\0def\0ghi\0")]
    [InlineData("ab\0c")]
    [InlineData("name\0\0\0\0value\0\0\0next\0\0\0\0")]
    [InlineData("an ordinary text with one \0 in it, as some programs leave it there, \u00E9\n")]
    public void Text_in_UTF8_with_zeros_in_it_stays_UTF8(string text)
    {
        Assert.Null(UnmarkedUtf16.Of(Encoding.UTF8.GetBytes(text)));
        Assert.Null(UnmarkedUtf16.Of(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(text, 300)))));
        Assert.Null(UnmarkedUtf16.Of(Encoding.UTF32.GetBytes(text)));
    }

    [Fact]
    public void Neither_other_encodings_nor_bytes_by_chance_are_taken_for_it()
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        foreach (var (name, text) in new[]
        {
            ("windows-1251", "\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440"), ("iso-8859-1", "\u00E9\u00E8\u00FC \u00DF"),
            ("gb2312", "\u4E00\u4E2A\u6C11\u65CF\u7684\u5386\u53F2"), ("shift_jis", "\u3053\u308C\u306F\u65E5\u672C\u8A9E"),
        })
            Assert.Null(UnmarkedUtf16.Of(Encoding.GetEncoding(name).GetBytes(string.Concat(Enumerable.Repeat(text + "\0", 100)))));
        var (random, bytes) = (new Random(14), new byte[UnmarkedUtf16.Looked]);
        for (var i = 0; i < 200; i++)
        {
            random.NextBytes(bytes);
            Assert.Null(UnmarkedUtf16.Of(bytes.AsSpan(0, 96 + i * 20)));
        }
    }

    [Theory]
    [InlineData("a.txt", "\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440")]
    [InlineData("a.md", "\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440")]
    [InlineData("a.py", "# \u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440")]
    [InlineData("a.csv", "id,text\n1,\"\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440\"\n")]
    [InlineData("a.jsonl", " {\"text\": \"\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440\"}\n")]
    [InlineData("a.jsonl.gz", " {\"text\": \"\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440\"}\n")]
    [InlineData("a.html", "<html><body><p>\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440</p></body></html>")]
    [InlineData("a.xml", "<r><p>\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440</p></r>")]
    public void Each_format_of_text_is_read_and_is_another_corpus_than_the_bytes_were_before(string name, string content)
    {
        foreach (var encoding in new[] { Encoding.Unicode, Encoding.BigEndianUnicode })
        {
            var file = FileOf(name, encoding.GetBytes(content));
            var text = Assert.Single(DocumentReader.Read(file, _statistics)).Text.Trim('\n', '#', ' ');
            Assert.Equal("\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440", text);
            Assert.Contains("utf-16 2: also without a mark", CorpusIdentity.OfFile(file).Reading);
            // Pages say by themselves what they are; other text is what its source is said to be.
            var latin = file with { Reading = file.Reading with { Encoding = "latin-1" } };
            Assert.Equal(file.Format is DocumentFormat.Html or DocumentFormat.Xml,
                CorpusIdentity.OfFile(latin).Reading.Contains("utf-16 2: also without a mark"));
        }
        Assert.Equal((0, 0), (_statistics.InvalidUtf8Sequences, _statistics.MalformedRecords));
        Assert.DoesNotContain(
            "utf-16 2: also without a mark", CorpusIdentity.OfFile(FileOf(name, Encoding.UTF8.GetBytes(content))).Reading);
    }

    [Fact]
    public void It_is_never_cut_into_parts_and_an_encoding_that_is_given_counts_more()
    {
        var text = string.Concat(Enumerable.Repeat("\u3053\u308C \u306F\n", 500));
        var path = _folder.Write("a.txt", Encoding.BigEndianUnicode.GetBytes(text));
        var file = CorpusSources.Resolve([path]).Single();
        Assert.Empty(FileParts.Of(file, new PartSize(100, 100)));
        var latin = file with { Reading = file.Reading with { Encoding = "latin-1" } };
        Assert.StartsWith("0S0\u008C", DocumentReader.Read(latin, _statistics).First().Text, StringComparison.Ordinal);
        // Chinese without a zero among its bytes says nothing: it is named, and can be given.
        var silent = CorpusSources.Resolve([_folder.Write("b.txt", Encoding.Unicode.GetBytes("\u6C11\u65CF\u7684\u5386\u53F2"))]).Single();
        _ = DocumentReader.Read(silent, _statistics).ToList();
        Assert.InRange(_statistics.InvalidUtf8Sequences, 1, 10);
        var given = silent with { Reading = silent.Reading with { Encoding = "utf-16le" } };
        Assert.Equal("\u6C11\u65CF\u7684\u5386\u53F2", Assert.Single(DocumentReader.Read(given, _statistics)).Text);
    }

    // Damage among the bytes that are looked at first costs no record before it.
    [Fact]
    public void What_comes_before_early_damage_is_read()
    {
        var lines = string.Concat(Enumerable.Range(0, 60).Select(i => $"{{\"text\": \"text {i * 7919 % 997}\"}}\n"));
        var whole = TestBytes.Gzip(Encoding.UTF8.GetBytes(lines));
        var file = CorpusSources.Resolve([_folder.Write("a.jsonl.gz", whole[..(whole.Length * 2 / 3)])]).Single();
        file = file with { Reading = file.Reading with { PassesOverRejects = true } };
        var documents = DocumentReader.Read(file, _statistics).ToList();
        Assert.InRange(documents.Count, 10, 59);
        Assert.Equal("text 0", documents[0].Text);
        Assert.Equal(1, _statistics.MalformedRecords);
    }

    private SourceFile FileOf(string name, byte[] content) => CorpusSources.Find(Corpora.Settings(
        _folder.Write(name, name.EndsWith(".gz", StringComparison.Ordinal) ? TestBytes.Gzip(content) : content))).Files.Single();
}
