using System.IO.Compression;
using System.Text;

namespace Elastic.Corpus.Tests.Formats;

/// <summary>Files as crawlers write them.</summary>
public sealed class WarcFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ReadStatistics _statistics = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_crawl_in_the_form_of_wget_gives_each_page_once_with_its_URL_and_time()
    {
        byte[] chunked = [.. "5\r\n<p>ab\r\n3;x=1\r\nc d\r\n0\r\n\r\n"u8];
        var warc = new Warc()
            .Record("warcinfo", null, "application/warc-fields", "software: Wget/1.21.3 (linux-gnu)\r\n"u8)
            .Record("request", "<http://a.example/>", "application/http;msgtype=request", "GET / HTTP/1.1\r\n\r\n"u8)
            .Response("<http://a.example/>", "Content-Type: text/html\r\nTransfer-Encoding: chunked", chunked)
            .Response("http://a.example/b", "Content-Type: text/html; charset=iso-8859-1", Encoding.Latin1.GetBytes("<p>Grüße"))
            .Response("http://a.example/c", "content-type: text/html", Cyrillic())
            .Response("http://a.example/d", Encoded("gzip"), Packed(b => new GZipStream(b, Best), "gzip"))
            .Response("http://a.example/e", Encoded("br"), Packed(b => new BrotliStream(b, Best), "brotli"))
            .Response("http://a.example/f", Encoded("deflate"), Packed(b => new ZLibStream(b, Best), "zlib"))
            .Response("http://a.example/g", Encoded("deflate"), Packed(b => new DeflateStream(b, Best), "raw"))
            .Response("http://a.example/h", "Content-Type: text/plain\r\nContent-Encoding: gzip", "said to be gzip"u8)
            .Response("http://a.example/i.png", "Content-Type: image/png", "\x89PNG"u8)
            .Response("http://a.example/j", "Content-Type: text/html", "<p>gone"u8, "404 Not Found")
            .Record("revisit", "http://a.example/k", "application/http;msgtype=response", "HTTP/1.1 200 OK\r\n\r\n"u8)
            .Record("resource", "http://a.example/l", "text/plain", "a resource"u8)
            .Record("resource", "metadata://gnu.org/software/wget/warc/wget.log", "text/plain", "the log"u8);
        foreach (var (name, bytes) in new[] { ("plain.warc", warc.Plain), ("packed.warc.gz", warc.Packed) })
        {
            var statistics = new ReadStatistics();
            var documents = Read(name, bytes, statistics);
            Assert.Equal(
                ["abc d", "Grüße", "Привет", "gzip", "brotli", "zlib", "raw", "said to be gzip", "a resource"],
                documents.Select(d => d.Text.Trim()));
            Assert.Equal(["http://a.example/", "http://a.example/b"], documents.Take(2).Select(d => d.Url));
            Assert.All(documents, d => Assert.Equal((name, "2026-11-26T19:04:35Z"), (d.Source, d.Date)));
            Assert.Equal(($"{name}:3", DocumentFormat.Html), (documents[0].Name, documents[0].Format));
            Assert.Equal(
                [
                    $"{name} http://a.example/i.png: image/png is no text that is read",
                    $"{name} http://a.example/j: the server answered 404",
                    $"{name} http://a.example/k: a revisit, whose page was stored before",
                ],
                statistics.Unread.Select(u => u.ToString()));
            Assert.Equal((0, 0), (statistics.MalformedRecords, statistics.InvalidUtf8Sequences));
        }
    }

    [Theory]
    [InlineData("utf-8")]
    [InlineData("windows-1251")]
    public void Text_is_in_the_encoding_that_its_head_names_else_in_UTF8_whatever_the_source_is_in(string encoding)
    {
        var warc = new Warc()
            .Response("http://a.example/a", "Content-Type: text/plain", "naïve"u8)
            .Response("http://a.example/b", "Content-Type: text/markdown", "Grüße"u8)
            .Response("http://a.example/c", "Content-Type: text/plain; charset=koi8-r", [0xF0, 0xD2])
            .Response("http://a.example/d", "Content-Type: text/plain", Encoding.Latin1.GetBytes("café"))
            .Response("http://a.example/e", "Content-Type: text/plain; charset=utf-7", "no known charset"u8)
            .Response("http://a.example/f", "Content-Type: text/html; charset=utf-7", "<p>a page"u8);
        var file = CorpusSources.Resolve([_folder.Write("a.warc", warc.Plain)]).Single();
        var read = file with { Reading = file.Reading with { Encoding = encoding } };
        Assert.Equal(
            ["naïve", "Grüße", "Пр", "café", "no known charset", "a page"],
            DocumentReader.Read(read, _statistics).Select(d => d.Text.Trim()));
        Assert.Equal((0, 0), (_statistics.MalformedRecords, _statistics.InvalidUtf8Sequences));
        // What earlier versions read of it was something else.
        var (own, plain) = (CorpusIdentity.OfFile(read).Reading, CorpusIdentity.OfFile(file).Reading);
        Assert.Equal(encoding != "utf-8", own.Except(plain).Any());
    }

    // The Encoding Standard of the web: the page's own <meta> means the same.
    [Theory]
    [InlineData("iso-8859-1", "“é”")]
    [InlineData("ISO-8859-1", "“é”")]
    [InlineData("latin1", "“é”")]
    [InlineData("us-ascii", "“é”")]
    [InlineData("iso-8859-9", "“é”")]
    [InlineData("iso-8859-11", "“้”")]
    [InlineData("iso-8859-2", "\u0093é\u0094")]
    public void Names_of_encodings_mean_in_a_head_what_they_mean_on_the_web(string charset, string text)
    {
        var warc = new Warc()
            .Response("http://a.example/a", $"Content-Type: text/html; charset={charset}", [.. "<p>"u8, 0x93, 0xE9, 0x94])
            .Response("http://a.example/b", $"Content-Type: text/plain; charset={charset}", [0x93, 0xE9, 0x94]);
        Assert.Equal([text, text], Read("a.warc", warc.Plain, _statistics).Select(d => d.Text.Trim()));
        Assert.Equal(0, _statistics.InvalidUtf8Sequences);
        Assert.Contains(CorpusIdentity.OfFile(CorpusSources.Resolve([_folder["a.warc"]]).Single()).Reading,
            line => line.StartsWith("warc 3: ", StringComparison.Ordinal));
    }

    [Fact]
    public void What_is_not_in_the_encoding_of_its_head_is_counted_once()
    {
        var warc = new Warc().Response("http://a.example/a", "Content-Type: text/plain; charset=gb18030", [(byte)'a', 0xFF, (byte)'b']);
        Assert.Equal("a\uFFFDb", Assert.Single(Read("a.warc", warc.Plain, _statistics)).Text);
        Assert.Equal(1, _statistics.InvalidUtf8Sequences);
    }

    [Fact]
    public void What_follows_a_body_of_gzip_is_passed_over_as_browsers_do()
    {
        var body = Packed(b => new GZipStream(b, Best), "the page");
        var warc = new Warc().Response("http://a.example/a", Encoded("gzip"), [.. body, .. new byte[512]])
            .Response("http://a.example/b", Encoded("gzip"), [.. body, .. "<!-- more -->"u8])
            .Response("http://a.example/c", Encoded("gzip"), body.AsSpan(..^9));
        Assert.Equal(["the page", "the page"], Read("a.warc", warc.Plain, _statistics).Select(d => d.Text));
        Assert.StartsWith("the record of http://a.example/c is left out: ", Assert.Single(_statistics.Malformed).Reason,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-4, "its Content-Length of 5 is wrong: the record does not end there")]
    [InlineData(30, "its Content-Length of 39 is wrong: the record does not end there")]
    [InlineData(100_000, "its Content-Length of 100009 is wrong, or the file is cut short: there are 239 bytes")]
    [InlineData(100_000_000, "its Content-Length of 100000009 is wrong: another record begins before")]
    public void A_wrong_length_costs_its_own_record_and_no_other(long wrongBy, string why)
    {
        var warc = new Warc().Record("resource", "http://a.example/1", "text/plain", "the first"u8)
            .Record("resource", "http://a.example/2", "text/plain", "WARC/1. 2"u8, wrongBy)
            .Record("resource", "http://a.example/3", "text/plain", "the third"u8);
        Assert.Equal(["the first", "the third"], Read("a.warc", warc.Plain, _statistics).Select(d => d.Text));
        var malformed = Assert.Single(_statistics.Malformed);
        Assert.Equal($"a.warc:2 the record of http://a.example/2 is left out: {why}", malformed.ToString());
    }

    [Fact]
    public void What_is_no_record_is_passed_over_to_the_next_one()
    {
        byte[] bytes =
        [
            .. "this is no record\r\n\r\n"u8, .. new Warc().Record("resource", "http://a.example/1", "text/plain", "one"u8).Plain,
            .. "WARC/1.0\r\nWARC-Type: resource\r\nContent-Length: many\r\n\r\nx\r\n\r\n"u8,
            .. new Warc().Record("resource", "http://a.example/2", "text/plain", "two"u8).Plain,
        ];
        Assert.Equal(["one", "two"], Read("a.warc", bytes, _statistics).Select(d => d.Text));
        Assert.Equal(
            ["the record is left out: it does not begin with WARC/1.0 or WARC/1.1", "the record is left out: its Content-Length is many"],
            _statistics.Malformed.Select(m => m.Reason));
    }

    [Theory]
    [InlineData("Transfer-Encoding: chunked", "4\r\nabcd\r\n9\r\nabc", "a chunk of 9 bytes breaks off after 3")]
    [InlineData("Content-Encoding: compress", "x", "the Content-Encoding compress is not known")]
    public void A_body_that_breaks_is_named_by_its_URL(string head, string body, string why)
    {
        var warc = new Warc().Response("http://a.example/1", $"Content-Type: text/plain\r\n{head}", Encoding.ASCII.GetBytes(body));
        Assert.Empty(Read("a.warc", warc.Plain, _statistics));
        Assert.Equal($"the record of http://a.example/1 is left out: {why}", Assert.Single(_statistics.Malformed).Reason);
    }

    [Fact]
    public void A_file_that_is_cut_short_keeps_what_is_whole()
    {
        var warc = new Warc();
        for (var i = 0; i < 20; i++)
            warc.Record("resource", $"http://a.example/{i}", "text/plain", Encoding.ASCII.GetBytes($"number {i} {Guid.NewGuid()}"));
        var cut = warc.Packed[..(warc.Packed.Length / 2 + 60)];
        Refusal.Says("a.warc.gz is cut short or damaged, and how much of it is lost is not known", () => Read("a.warc.gz", cut, new()));
        var file = CorpusSources.Resolve([_folder["a.warc.gz"]]).Single();
        file = file with { Reading = file.Reading with { PassesOverRejects = true } };
        var read = DocumentReader.Read(file, _statistics).Count();
        Assert.True(read is >= 5 and <= 11 && _statistics.Malformed.Count > 0, $"{read} {string.Join("; ", _statistics.Malformed)}");
        Assert.Contains("the rest of the file is lost: ", _statistics.Malformed[0].Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(9)]
    [InlineData(200)]
    public void A_file_that_is_not_compressed_and_ends_in_a_record_is_refused_unless_a_build_goes_on(int missing)
    {
        var warc = new Warc().Record("resource", "http://a.example/1", "text/plain", "the first"u8)
            .Record("resource", "http://a.example/2", "text/plain", "the second"u8);
        Refusal.Says("a.warc is cut short or damaged, and how much of it is lost is not known",
            () => Read("a.warc", warc.Plain[..^missing], new()));
        var file = CorpusSources.Resolve([_folder["a.warc"]]).Single();
        file = file with { Reading = file.Reading with { PassesOverRejects = true } };
        Assert.Equal("the first", Assert.Single(DocumentReader.Read(file, _statistics)).Text);
        Assert.StartsWith("a.warc:2 the record", Assert.Single(_statistics.Malformed).ToString(), StringComparison.Ordinal);
    }

    // A file may end behind a block, as some writers end it, and nowhere else.
    [Theory]
    [InlineData(5, "the record is left out: the file is cut short in its first line")]
    [InlineData(3, "the record is left out: the file is cut short in its first line")]
    [InlineData(9, "the record is left out: the file is cut short in its first line")]
    [InlineData(60, "the file is cut short in its head")]
    [InlineData(-1, "the record of http://a.example/2 is left out: the file is cut short in the end of the record")]
    [InlineData(-2, "the record of http://a.example/2 is left out: the file is cut short in the end of the record")]
    [InlineData(-3, "the record of http://a.example/2 is left out: the file is cut short in the end of the record")]
    [InlineData(-4, null)]
    public void Where_a_file_is_cut_short_is_said(int length, string? why)
    {
        var first = new Warc().Record("resource", "http://a.example/1", "text/plain", "the first"u8);
        var before = first.Plain;
        var both = first.Record("resource", "http://a.example/2", "text/plain", "the second"u8).Plain;
        var bytes = both[..(length > 0 ? before.Length + length : both.Length + length)];
        if (why is null)
        {
            Assert.Equal(2, Read("a.warc", bytes, _statistics).Count);
            return;
        }
        Refusal.Says($"a.warc is cut short or damaged, and how much of it is lost is not known (", () => Read("a.warc", bytes, new()));
        Refusal.Says(why, () => Read("a.warc", bytes, new()));
    }

    private static string Encoded(string coding) => $"Content-Type: text/plain\r\nContent-Encoding: {coding}";

    private const CompressionLevel Best = CompressionLevel.SmallestSize;

    private List<Document> Read(string name, byte[] bytes, ReadStatistics statistics)
    {
        var path = _folder.Write(name, bytes);
        return [.. DocumentReader.Read(CorpusSources.Resolve([path]).Single(), statistics)];
    }

    // "Привет" in windows-1251, as the page says itself.
    private static byte[] Cyrillic() =>
        [.. "<html><head><meta charset=\"windows-1251\"></head><body><p>"u8, 0xCF, 0xF0, 0xE8, 0xE2, 0xE5, 0xF2];

    private static byte[] Packed(Func<Stream, Stream> pack, string text)
    {
        using var memory = new MemoryStream();
        using (var packed = pack(memory))
            packed.Write(Encoding.UTF8.GetBytes(text));
        return memory.ToArray();
    }

    /// <summary>Writes records as wget does: a member of gzip each, where they are packed.</summary>
    private sealed class Warc
    {
        private readonly List<byte[]> _records = [];

        public byte[] Plain => [.. _records.SelectMany(r => r)];

        public byte[] Packed => [.. _records.SelectMany(r => Gzip(r))];

        public Warc Response(string url, string head, ReadOnlySpan<byte> body, string status = "200 OK") =>
            Record("response", url, "application/http;msgtype=response",
                [.. Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\n{head}\r\n\r\n"), .. body]);

        public Warc Record(string type, string? url, string contentType, ReadOnlySpan<byte> block, long wrongBy = 0)
        {
            var head = $"WARC/1.0\r\nWARC-Type: {type}\r\n{(url is null ? "" : $"WARC-Target-URI: {url}\r\n")}"
                + "WARC-Date: 2026-11-26T19:04:35Z\r\nWARC-Record-ID: <urn:uuid:9c256c3e-d2e5-40c1-884a-9131e5d5ebe1>\r\n"
                + $"Content-Type: {contentType}\r\nContent-Length: {block.Length + wrongBy}\r\n\r\n";
            _records.Add([.. Encoding.ASCII.GetBytes(head), .. block, .. "\r\n\r\n"u8]);
            return this;
        }

        private static byte[] Gzip(byte[] record)
        {
            using var memory = new MemoryStream();
            using (var packed = new GZipStream(memory, Best))
                packed.Write(record);
            return memory.ToArray();
        }
    }
}
