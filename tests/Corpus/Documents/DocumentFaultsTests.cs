using System.Diagnostics;
using System.Text;

namespace Elastic.Corpus.Tests;

/// <summary>Faults of text, XML and HTML files that cost a file at most what is wrong with it.</summary>
public class DocumentFaultsTests
{
    private readonly ReadStatistics _statistics = new();

    [Theory]
    [InlineData("<l>a &nbsp; b</l>", "a b")]
    [InlineData("<l>caf&eacute; &mdash; &amp; &lt;</l>", "café — & <")]
    [InlineData("<l t='&nbsp;&x;'>AT&T, a && b, &none; &;</l>", "AT&T, a && b, &none; &;")]
    [InlineData("<l><![CDATA[if (a && b) &nbsp;]]> &hellip;</l>", "if (a && b) &nbsp; …")]
    [InlineData("<l><!-- ]]> <![CDATA[ & --> &hellip;<![CDATA[]]]]]>&hellip;</l>", "…]]]…")]
    [InlineData("<l>&#65;&#x42;&#x110000;&#0;&#q;</l>", "AB&#x110000;&#0;&#q;")]
    [InlineData("""
        <!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
        <html xmlns="http://www.w3.org/1999/xhtml"><p>&copy; x</p></html>
        """, "© x")]
    public void References_that_XML_does_not_know_are_HTMLs_or_text(string xml, string text)
    {
        Assert.Equal(text, Single("a.xml", xml).Text.Trim());
        Assert.Equal(0, _statistics.MalformedRecords);
    }

    [Fact]
    public void References_are_found_wherever_the_buffers_end()
    {
        for (var length = (1 << 15) - 12; length < (1 << 15) + 3; length++)
            Assert.Equal(new string('a', length) + "é&b", Single("a.xml", $"<l>{new string('a', length)}&eacute;<![CDATA[&]]>b</l>").Text);
    }

    [Fact]
    public void The_text_before_a_fault_of_XML_is_kept_and_the_rest_counts_in_bytes()
    {
        var good = string.Concat(Enumerable.Repeat("good words ", 20_000));
        Assert.Equal(good.Trim(), string.Concat(Read("a.xml", $"<l>{good}</q>{new string(' ', 500_000)}</l>").Select(d => d.Text)).Trim());
        Assert.InRange(_statistics.LostBytes, 450_000, 500_010);
    }

    [Fact]
    public void A_name_that_claims_any_number_of_type_parameters_gets_none()
    {
        var page = Single("a.xml", """
            <doc><members>
            <member name="M:A.B``200000000"><summary>x</summary></member>
            <member name="M:A.C``2147483648(``99999999999)"><summary>y</summary></member>
            <member name="M:A.D`-5"><summary>z</summary></member>
            <member name="M:A.E``2"><summary>v</summary></member>
            </members></doc>
            """).Text;
        Assert.Equal("A.B()\nx\n\nA.C()\ny\n\nA.D()\nz\n\nA.E<T, T1>()\nv\n", page.Replace("A.C(``)", "A.C()", StringComparison.Ordinal));
    }

    // It would take the square of its length, and ends before the time does that any page may take.
    [Fact]
    public void A_page_that_nests_without_end_is_refused() =>
        Refusal.Says("elements more than 510 deep: mend the file, or leave it out (corpus.exclude = [\"a.html\"])",
            () => Read("a.html", string.Concat(Enumerable.Repeat("<div>", 100_000))));

    [Fact]
    public void A_page_whose_open_tags_are_repeated_in_each_paragraph_is_refused()
    {
        var fonts = string.Concat(Enumerable.Range(0, 1000).Select(i => $"<font color={i}>"));
        Refusal.Says("leaves so many tags open that its",
            () => Read("a.html", $"<p>{fonts}</p>" + string.Concat(Enumerable.Repeat("<p>x</p>", 5000))));
    }

    // The parser's stack overflows, which ends the process.
    [Theory]
    [InlineData("", "</>", "utf-8")]
    [InlineData("<!--", "--!", "utf-8")]
    [InlineData("x", "</>", "utf-16")]
    public void A_page_at_which_the_parser_would_die_is_refused(string start, string repeated, string encoding)
    {
        string Page(int count) => start + string.Concat(Enumerable.Repeat(repeated, count)) + "words";
        var page = EncodingWithMark(encoding, Page(200_000));
        Refusal.Says("more often than the HTML parser bears", () => Read("a.html", page, Reading.Default));
        Read("b.html", EncodingWithMark(encoding, Page(900)), Reading.Default);
    }

    [Theory]
    [InlineData("utf-7")]
    [InlineData("utf-32")]
    [InlineData("x-user-defined")]
    [InlineData("hz-gb-2312")]
    [InlineData("iso-2022-kr")]
    [InlineData("replacement")]
    [InlineData("x-none")]
    [InlineData("")]
    public void A_page_may_declare_any_encoding(string name)
    {
        var documents = Read("a.html", $"<html><head><meta charset=\"{name}\"></head><body>{new string('x', 5000)} \u00FF</body></html>");
        Assert.Equal(1, documents.Count + _statistics.MalformedRecords);
    }

    // .NET knows the name and refuses the encoding.
    [Theory]
    [InlineData("unicode-1-1-utf-7")]
    [InlineData("x-none")]
    public void XML_may_declare_any_encoding(string name)
    {
        Assert.Empty(Read("a.xml", $"<?xml version=\"1.0\" encoding=\"{name}\"?><l>words</l>"));
        Assert.Equal($"a.xml:1 declares the encoding {name}, which is not known", Assert.Single(_statistics.Malformed).ToString());
    }

    // A clock that stands for a process that was stopped in the middle of a page.
    [Fact]
    public void A_page_that_takes_too_long_ends_the_reading_and_is_never_left_out()
    {
        var page = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("<p>words", 1000)));
        var file = new SourceFile("a.html", "a.html", DocumentFormat.Html)
        {
            Reading = Reading.Default with { PassesOverRejects = true },
        };
        Assert.Contains("has not ended a.html after 60 seconds", Assert.Throws<SlowPageException>(
            () => new PageBounds(file, page, page.Length, new SlowClock()).Parse()).Message, StringComparison.Ordinal);
        static string Remedy(SourceFile f) => Assert.Throws<SlowPageException>(
            () => new PageBounds(f, "<p>"u8.ToArray(), 3, new SlowClock()).Parse()).Message.Split("leave it out ")[1];
        Assert.Equal("(corpus.exclude = [\"a.html\"])", Remedy(file));
        Assert.Equal("(its URL in a list)", Remedy(file with { LeftOutBy = "its URL in a list" }));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(
            () => new PageBounds(file with { Cancel = cancelled.Token }, page, page.Length, TimeProvider.System).Parse());
        using var whole = new PageBounds(file, page, page.Length, TimeProvider.System).Parse();
        Assert.Equal(1000, whole.QuerySelectorAll("p").Length);
    }

    private sealed class SlowClock : TimeProvider
    {
        private long _seconds;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => _seconds += 61;
    }

    [Fact]
    public void A_long_line_is_cut_at_white_space_and_goes_on_without_an_end_of_text()
    {
        var line = string.Join(' ', Enumerable.Range(0, 60_000));
        var documents = Read("a.txt", $"before\n{line}\nafter\n\n");
        Assert.Equal($"before\n{line}\nafter\n\n", string.Concat(documents.Select(d => d.Text)));
        Assert.InRange(documents.Count, 4, 7);
        Assert.All(documents.Skip(1), d => Assert.StartsWith(" ", d.Text, StringComparison.Ordinal));
        Assert.Equal([true, false], documents.Select(d => d.IsContinued).Distinct());
        Assert.Equal(documents[0].LineStart, documents[^1].LineStart);
        // Held out as a whole, or not at all, and the tokens are those of the uncut line.
        var gpt2 = Tokenizer.Open("gpt2");
        var whole = new List<int>();
        gpt2.Encode($"before\n{line}\nafter\n\n", whole);
        var batch = BatchTokenizer.Tokenize(gpt2, new DocumentBatch(0, documents), 0.5).Documents;
        Assert.Single(batch.Select(d => d.IsHeldOut).Distinct());
        Assert.Equal([.. whole, gpt2.EndOfText], batch.SelectMany(d => d.Tokens.ToArray()));
    }

    [Fact]
    public void The_end_of_a_long_line_ends_its_text_even_where_it_is_blank()
    {
        foreach (var length in new[] { 65_535, 65_536, 81_919, 81_920, 81_921 })
            foreach (var end in new[] { "", "\n", " ", " \n" })
            {
                var documents = Read("a.txt", new string('a', length) + end);
                Assert.False(documents[^1].IsContinued);
                Assert.Equal(new string('a', length) + end, string.Concat(documents.Select(d => d.Text)));
            }
    }

    [Fact]
    public void The_encoding_of_text_and_JSON_can_be_given_and_a_byte_order_mark_counts_more()
    {
        var latin = new Reading("text", "latin-1");
        Assert.Equal("café", Single("a.txt", Encoding.Latin1.GetBytes("café"), latin).Text);
        Assert.Equal("café", Single("a.jsonl", Encoding.Latin1.GetBytes("{\"text\": \"café\"}"), latin).Text);
        Assert.Equal("café", Single("b.txt", [0xEF, 0xBB, 0xBF, .. "café"u8], latin).Text);
        Assert.Equal("Привет", Single("c.txt", [0xCF, 0xF0, 0xE8, 0xE2, 0xE5, 0xF2], new Reading("text", "windows-1251")).Text);
        Assert.Equal(0, _statistics.InvalidUtf8Sequences);
    }

    [Fact]
    public void A_file_without_bytes_is_read_without_being_opened()
    {
        if (OperatingSystem.IsWindows())
            return;
        using var folder = new TemporaryFolder();
        using (var mkfifo = Process.Start("mkfifo", [folder["pipe.txt"], folder[".pipe"]]))
            mkfifo.WaitForExit();
        folder.Write("a.txt", "text");
        folder.Write("empty.jsonl", "");
        File.CreateSymbolicLink(folder["link.txt"], folder[".pipe"]);
        var found = CorpusSources.Find(Corpora.Settings(folder.Path));
        Assert.Equal("not read: 3 files without bytes (empty, or a pipe or device)", found.PassedOver.ToString());
        var (_, files) = CorpusIdentity.Identify(found.Files, Corpora.Settings(folder.Path));
        Assert.Equal(["text"], files.SelectMany(f => DocumentReader.Read(f, _statistics)).Select(d => d.Text));
    }

    private static byte[] EncodingWithMark(string name, string text) =>
        [.. Encoding.GetEncoding(name).GetPreamble(), .. Encoding.GetEncoding(name).GetBytes(text)];

    private Document Single(string name, string text) => Assert.Single(Read(name, text));

    private List<Document> Read(string name, string text) => Read(name, Encoding.UTF8.GetBytes(text), Reading.Default);

    private Document Single(string name, byte[] bytes, Reading reading) => Assert.Single(Read(name, bytes, reading));

    private List<Document> Read(string name, byte[] bytes, Reading reading)
    {
        using var folder = new TemporaryFolder();
        var file = CorpusSources.Resolve([folder.Write(name, bytes)])[0] with { Reading = reading };
        return [.. DocumentReader.Read(file, _statistics)];
    }
}
