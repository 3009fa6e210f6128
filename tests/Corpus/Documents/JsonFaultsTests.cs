using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using ZstdSharp;

namespace Elastic.Corpus.Tests;

/// <summary>Faults of .jsonl files, plain and compressed.</summary>
public class JsonFaultsTests
{
    private readonly ReadStatistics _statistics = new();

    [Theory]
    [InlineData("""{"text": "good", "score": NaN, "other": [-Infinity, undefined]}""")]
    [InlineData("""{"text": "good", "title": "lone \ud800"}""")]
    [InlineData("""{"text": "good", "title": "bad \x escape and 	 tab"}""")]
    [InlineData("""{"id": 01, "text": "good", "a": {"b": [{"text": "}"}]}}""")]
    [InlineData("""{"\u0074ext": "\u0067ood", }""")]
    [InlineData("""{"text": "first", "text": "good"}""")]
    public void A_fault_in_another_field_costs_no_text(string line)
    {
        Assert.Equal("good", Assert.Single(Read("a.jsonl", Encoding.UTF8.GetBytes(line))).Text);
        Assert.Equal(0, _statistics.MalformedRecords);
    }

    [Theory]
    [InlineData("""{"text": "good", "language": "de"}""", "de")]
    [InlineData("""{"language" : "pt-BR" , "text": "good"}""", "pt-BR")]
    [InlineData("""{"language": "en", "text": "good", "language": "zh_Hans"}""", "zh_Hans")]
    [InlineData("""{"text": "good", "language": "d\u0065"}""", null)]
    [InlineData("""{"text": "good", "language": "d\x"}""", null)]
    [InlineData("""{"text": "good", "language": "a language of 17"}""", null)]
    [InlineData("""{"text": "good", "language": "abcdefghijklmnopq"}""", null)]
    [InlineData("""{"text": "good", "language": "é"}""", null)]
    [InlineData("""{"text": "good", "language": ""}""", null)]
    [InlineData("""{"text": "good", "language": null}""", null)]
    [InlineData("""{"text": "good", "language": ["de"]}""", null)]
    [InlineData("""{"text": "good", "meta": {"language": "de"}}""", null)]
    public void The_language_of_a_record_is_a_short_code_or_not_known_and_never_a_fault(string line, string? language)
    {
        var document = Assert.Single(Read("a.jsonl", Encoding.UTF8.GetBytes(line)));
        Assert.Equal(("good", language), (document.Text, document.Language));
        Assert.Equal((0, 0), (_statistics.MalformedRecords, _statistics.InvalidUtf8Sequences));
    }

    [Fact]
    public void Another_field_may_nest_to_any_depth()
    {
        var deep = string.Concat(Enumerable.Repeat("[{\"a\":", 200_000)) + "1" + string.Concat(Enumerable.Repeat("}]", 200_000));
        Assert.Equal("good", Assert.Single(Read("a.jsonl", Encoding.UTF8.GetBytes($"{{\"deep\": {deep}, \"text\": \"good\"}}"))).Text);
    }

    [Fact]
    public void Halves_of_surrogate_pairs_become_replacement_characters_and_are_counted_by_file()
    {
        var line = """{"text": "a\ud800b \udc00\ud83d\ude00 \ud83d", "source": "\udfffWeb"}"""u8.ToArray();
        var document = Assert.Single(Read("a.jsonl", line));
        Assert.Equal(("a\uFFFDb \uFFFD😀 \uFFFD", "\uFFFDWeb"), (document.Text, document.Source));
        Assert.Equal((4, 0), (_statistics.InvalidUtf8Sequences, _statistics.MalformedRecords));
        Assert.StartsWith("a.jsonl: 4 sequences", _statistics.RepairedText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("utf-16")]
    [InlineData("utf-16BE")]
    public void Lines_of_UTF16_are_read_with_and_without_a_byte_order_mark(string name)
    {
        var encoding = Encoding.GetEncoding(name);
        var bytes = encoding.GetBytes("{\"text\": \"é 😀\"}\n{\"text\": \"two\"}\n");
        Assert.Equal(["é 😀", "two"], Read("a.jsonl", bytes).Select(d => d.Text));
        Assert.Equal(["é 😀", "two"], Read("a.jsonl", [.. encoding.GetPreamble(), .. bytes]).Select(d => d.Text));
        Assert.Equal((0, 0), (_statistics.InvalidUtf8Sequences, _statistics.MalformedRecords));
    }

    [Fact]
    public void Joined_files_may_have_byte_order_marks_in_the_middle()
    {
        byte[] file = [0xEF, 0xBB, 0xBF, .. "{\"text\": \"one\"}\n"u8];
        Assert.Equal(["one", "one"], Read("a.jsonl", [.. file, .. file]).Select(d => d.Text));
    }

    [Theory]
    [InlineData("""{"body": "x", "id": 5}""", "there is no field \"text\" with a string (it has body, id)")]
    [InlineData("""{"text": "torn{"text": "two"}""", "a comma is missing")]
    [InlineData("""{"text": "x"} {"text": "y"}""", "there is more behind the end of the object")]
    [InlineData("""{"text": "x""", "the line ends inside a string")]
    [InlineData("""{"text": "x", "a": [1}""", "the line ends inside the object")]
    [InlineData("""{"text": "\ud8"}""", "byte 11: \\u needs four hexadecimal digits")]
    [InlineData("""[{"text": "x"}]""", "it is not a JSON object")]
    public void A_record_without_text_says_why(string line, string why)
    {
        Assert.Empty(Read("a.jsonl", Encoding.UTF8.GetBytes(line)));
        Assert.Contains(why, Assert.Single(_statistics.Malformed).Reason, StringComparison.Ordinal);
        Assert.Equal(line.Length, _statistics.LostBytes);
    }

    [Fact]
    public void Another_field_can_hold_the_text()
    {
        using var folder = new TemporaryFolder();
        folder.Write("a.jsonl", "{\"text\": 1, \"body\": \"words\"}\n");
        var settings = Corpora.Settings(folder.Path) with { TextField = "body" };
        Assert.Equal("words", Assert.Single(DocumentReader.Read(CorpusSources.Find(settings).Files[0], _statistics)).Text);
    }

    [Fact]
    public void Every_valid_record_gives_what_another_parser_finds()
    {
        const int seed = 20261126, records = 2000;
        var random = new Random(seed);
        for (var i = 0; i < records; i++)
        {
            var line = JsonSerializer.SerializeToUtf8Bytes(RandomObject(random, 3), Choose(random, Escaping.All, Escaping.Relaxed));
            using var parsed = JsonDocument.Parse(line);
            var (text, source, _, problem) = JsonRecord.Read(line, "text");
            var isText = parsed.RootElement.TryGetProperty("text", out var found) && found.ValueKind == JsonValueKind.String;
            var expected = isText ? found.GetString() : null;
            Assert.True(expected == text, $"record {i} of seed {seed}: {Encoding.UTF8.GetString(line)} {problem}");
            if (text is not null)
                Assert.Equal(SourceOf(parsed.RootElement), source);
        }
    }

    [Fact]
    public void Lines_compressed_with_gzip_are_read_like_plain_ones_until_the_data_breaks()
    {
        using var memory = new MemoryStream();
        using (var gzip = new GZipStream(memory, CompressionLevel.Fastest))
            for (var i = 0; i < 50_000; i++)
                gzip.Write(Encoding.UTF8.GetBytes($"{{\"text\": \"document {i * 7919}\"}}\n"));
        var compressed = memory.ToArray();
        Assert.Equal(50_000, Read("a.jsonl.gz", compressed).Count);
        Assert.Equal(0, _statistics.LostBytes);
        compressed.AsSpan(compressed.Length / 2, 100).Fill(0xFF);
        Assert.InRange(Read("b.jsonl.gz", compressed).Count, 1, 49_999);
        Assert.Equal("b.jsonl.gz", Assert.Single(_statistics.Malformed).File);
    }

    [Fact]
    public void A_gzip_file_that_is_cut_short_is_found_out_and_joined_ones_are_whole()
    {
        var member = Gzip("{\"text\": \"one\"}\n{\"text\": \"two\"}\n");
        Assert.Equal(4, Read("a.jsonl.gz", [.. member, .. member]).Count);
        Assert.Empty(_statistics.Malformed);
        for (var length = 1; length < member.Length; length++)
        {
            var statistics = new ReadStatistics();
            using var folder = new TemporaryFolder();
            var file = CorpusSources.Resolve([folder.Write("b.jsonl.gz", member[..length])])[0];
            // Nobody can say whether that is less than a tenth of it.
            Refusal.Says("b.jsonl.gz is cut short or damaged, and how much of it is lost is not known",
                () => DocumentReader.Read(file, statistics).ToList());
            Assert.InRange(DocumentReader.Read(PassedOver(file), statistics).Count(), 0, 2);
            Assert.StartsWith("the compressed data ends", Assert.Single(statistics.Malformed).Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_follows_a_gzip_file_is_zeros_or_is_named_and_costs_nothing_else()
    {
        var (one, two) = (Gzip("{\"text\": \"one\"}\n"), Gzip("{\"text\": \"two\"}\n"));
        Assert.Equal(["one", "two"], Read("a.jsonl.gz", [.. one, .. two, .. new byte[512]]).Select(d => d.Text));
        // A member of nothing ends each file of bgzip, and has a name here.
        byte[] named = [0x1F, 0x8B, 8, 8 | 4, 0, 0, 0, 0, 0, 3, 2, 0, 1, 2, (byte)'n', 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Assert.Equal(["one", "two"], Read("b.jsonl.gz", [.. named, .. one, .. named, .. two, .. named]).Select(d => d.Text));
        Assert.Empty(_statistics.Malformed);
        // A member whose beginning is damaged is as much lost.
        two[1] ^= 1;
        Assert.Equal(["one"], Read("c.jsonl.gz", [.. one, .. two, .. one]).Select(d => d.Text));
        Assert.Equal(two.Length + one.Length, _statistics.LostBytes);
        Assert.Contains("does not belong to it", Assert.Single(_statistics.Malformed).Reason, StringComparison.Ordinal);
        one[^6] ^= 1;
        // All of it is there, so that no more than that can be lost.
        Assert.Equal("one", Assert.Single(Read("d.jsonl.gz", one)).Text);
        Assert.Contains("the checksum of its data is wrong", _statistics.Malformed[^1].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_flipped_byte_costs_at_most_its_file_and_a_file_of_which_most_is_missing_is_refused()
    {
        var packed = Gzip(string.Concat(Enumerable.Range(0, 200).Select(i => $"{{\"text\": \"text {i * 7919}\"}}\n")));
        Refusal.Says("how much of it is lost is not known", () => Read("a.jsonl.gz", packed[..(packed.Length / 10)]));
        packed[packed.Length / 2] ^= 0x10;
        Read("b.jsonl.gz", packed);
        Assert.Equal("b.jsonl.gz", Assert.Single(_statistics.Malformed).File);
        Assert.InRange(_statistics.LostBytes, packed.Length / 2, packed.Length);
    }

    // "{"text": "one"}\n" and "{"text": "two"}\n", by xz and by bzip2.
    private const string OneXz =
        "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAPeyJ0ZXh0IjogIm9uZSJ9CgCCOfvQAWl5XwABKBDlC2xgH7bzfQEAAAAABFla";
    private const string TwoXz =
        "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAPeyJ0ZXh0IjogInR3byJ9CgABmvHCv+TO9QABKBDlC2xgH7bzfQEAAAAABFla";
    private const string OneBzip2 =
        "QlpoOTFBWSZTWQYpkAgAAAdZgAAQUAAAEAIBhEogADEA000EA0aaKza3SOpQFPi7kinChIAxTIBA";
    private const string TwoBzip2 =
        "QlpoOTFBWSZTWYqW+CMAAAdZgAAQUAAAEAIAhMogADEA000EJtAeqE4VuTwmQL4u5IpwoSEVLfBG";

    [Theory]
    [InlineData("xz", OneXz, TwoXz)]
    [InlineData("bz2", OneBzip2, TwoBzip2)]
    public void Joined_streams_are_read_to_the_end_and_a_cut_is_found_out_wherever_it_is(string ending, string first, string second)
    {
        var (one, two, name) = (Convert.FromBase64String(first), Convert.FromBase64String(second), $"a.jsonl.{ending}");
        Assert.Equal(["one", "two", "one"], Read(name, [.. one, .. two, .. one]).Select(d => d.Text));
        Assert.Empty(_statistics.Malformed);
        using var folder = new TemporaryFolder();
        for (var length = 1; length < two.Length; length++)
        {
            var file = PassedOver(CorpusSources.Resolve([folder.Write(name, [.. one, .. two[..length]])])[0]);
            var statistics = new ReadStatistics();
            Assert.Equal("one", DocumentReader.Read(file, statistics).First().Text);
            Assert.InRange(DocumentReader.Read(file, statistics).Count(), 1, 2);
            Assert.True(statistics.MalformedRecords > 0, $"{length} of {two.Length} bytes");
        }
        Assert.Equal("one", Assert.Single(Read(name, [.. one, .. "no stream"u8])).Text);
        Assert.Equal("no stream".Length, _statistics.LostBytes);
    }

    [Fact]
    public void Zeros_may_lie_between_streams_of_xz_and_only_files_of_several_are_other_corpora_than_they_were()
    {
        var (one, two) = (Convert.FromBase64String(OneXz), Convert.FromBase64String(TwoXz));
        Assert.Equal(["one", "two"], Read("a.jsonl.xz", [.. one, .. new byte[8], .. two, .. new byte[4]]).Select(d => d.Text));
        Assert.Equal(["one"], Read("b.jsonl.xz", [.. one, 0, 0, 0, .. two]).Select(d => d.Text));
        Assert.Single(_statistics.Malformed);
        using var folder = new TemporaryFolder();
        (byte[], bool)[] files = [(one, false), ([.. one, .. two], true), ([.. one, 0, 0, 0, 0, .. two], true)];
        foreach (var (bytes, isOther) in files)
            Assert.Equal(isOther, CorpusIdentity.OfFile(CorpusSources.Resolve([folder.Write("a.jsonl.xz", bytes)])[0]).Reading
                .Contains("xz 2: all streams of a file are read"));
    }

    [Fact]
    public void Packed_files_of_no_bytes_hold_nothing_and_lose_nothing()
    {
        using var folder = new TemporaryFolder();
        foreach (var ending in new[] { "gz", "zst", "bz2", "xz" })
            folder.Write($"in/empty.jsonl.{ending}", "");
        folder.Write("in/text.jsonl", "{\"text\": \"one\"}\n");
        var files = CorpusSources.Find(Corpora.Settings(folder["in"]), allFormats: true, rejects: null, CancellationToken.None).Files;
        Assert.Equal(5, files.Count);
        Assert.Equal("one", Assert.Single(files.SelectMany(file => DocumentReader.Read(file, _statistics))).Text);
        Assert.Equal(0, _statistics.MalformedRecords);
    }

    [Theory]
    [InlineData("utf-16", "utf-8")]
    [InlineData("utf-16BE", "utf-8")]
    [InlineData("utf-16", "utf-16le")]
    public void Json_in_UTF16_is_known_for_records(string name, string encoding)
    {
        var text = Encoding.GetEncoding(name);
        byte[] bytes = [.. text.GetPreamble(), .. text.GetBytes("{\"text\": \"é 😀\"}\n")];
        using var folder = new TemporaryFolder();
        var file = Assert.Single(CorpusSources.Find(
            Corpora.Settings(folder.Write("a.json", bytes)) with { Encoding = encoding }).Files);
        Assert.Equal("é 😀", Assert.Single(DocumentReader.Read(file, _statistics)).Text);
    }

    private static SourceFile PassedOver(SourceFile file) => file with { Reading = file.Reading with { PassesOverRejects = true } };

    private static byte[] Gzip(string text)
    {
        using var memory = new MemoryStream();
        using (var gzip = new GZipStream(memory, CompressionLevel.Fastest))
            gzip.Write(Encoding.UTF8.GetBytes(text));
        return memory.ToArray();
    }

    [Theory]
    [InlineData(28)]
    [InlineData(31)]
    public void Zstandard_with_a_large_window_is_read(int windowLog) =>
        Assert.Equal("long", Assert.Single(Read("a.jsonl.zst", Frame(windowLog, "{\"text\": \"long\"}"u8))).Text);

    [Fact]
    public void Zstandard_with_a_window_that_nobody_writes_stops_the_build() =>
        Refusal.Says("a.jsonl.zst needs a window of more than 2^31 bytes", () => Read("a.jsonl.zst", Frame(32, "{}"u8)));

    [Fact]
    public void What_a_broken_file_loses_counts_in_bytes()
    {
        var lines = Encoding.UTF8.GetBytes(string.Concat(
            Enumerable.Range(0, 200_000).Select(i => $"{{\"text\": \"document {i * 7919}\"}}\n")));
        using var compressor = new Compressor();
        var compressed = compressor.Wrap(lines).ToArray();
        compressed.AsSpan(compressed.Length / 4, 200).Fill(0xFF);
        Assert.InRange(Read("a.jsonl.zst", compressed).Count, 1, 199_999);
        Assert.InRange(_statistics.LostBytes, compressed.Length / 2, compressed.Length);
        Assert.Contains("the rest of the file (at least", Assert.Single(_statistics.Malformed).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_small_file_that_becomes_a_huge_line_or_huge_text_is_refused_before_it_is_in_memory()
    {
        using var compressor = new Compressor();
        var line = compressor.Wrap(new byte[90 << 20]).ToArray();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Refusal.Says("a.jsonl.zst has a line 1 of more than 67108864 bytes", () => Read("a.jsonl.zst", line));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 400 << 20);
        var lines = new byte[90 << 20];
        lines.AsSpan().Fill((byte)' ');
        for (var i = 0; i < lines.Length; i += 1 << 20)
            lines[i] = (byte)'\n';
        Refusal.Says("b.jsonl.zst becomes more than 67108864 bytes", () => Read("b.jsonl.zst", compressor.Wrap(lines).ToArray()));
    }

    // A frame of one raw block, as the format's description has it (RFC 8878): window descriptor, no size of the content.
    private static byte[] Frame(int windowLog, ReadOnlySpan<byte> content)
    {
        var header = 1 | (content.Length << 3);
        byte[] block = [(byte)header, (byte)(header >> 8), (byte)(header >> 16), .. content];
        return [0x28, 0xB5, 0x2F, 0xFD, 0, (byte)((windowLog - 10) << 3), .. block];
    }

    private static string? SourceOf(JsonElement record) =>
        record.TryGetProperty("meta", out var meta) && meta.ValueKind == JsonValueKind.Object && StringIn(meta, "pile_set_name") is { } pile
            ? pile
            : StringIn(record, "source");

    private static string? StringIn(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
            ? text
            : null;

    private static Dictionary<string, object?> RandomObject(Random random, int depth)
    {
        var found = new Dictionary<string, object?>();
        for (var count = random.Next(6); count > 0; count--)
            found[Choose(random, "text", "source", "meta", "pile_set_name", "id", "\"", "é\\")] = RandomValue(random, depth);
        return found;
    }

    private static object? RandomValue(Random random, int depth) => random.Next(depth > 0 ? 7 : 5) switch
    {
        0 => null,
        1 => random.NextDouble() * 1e9,
        2 => random.Next(2) == 0,
        3 or 4 => string.Concat(Enumerable.Range(0, random.Next(8)).Select(_ => Choose(
            random, "a", "\"", "\\", "\n", "\u0001", "é", "😀", "{", "}", "[", ",", ":", " ", "</b>"))),
        5 => RandomObject(random, depth - 1),
        _ => Enumerable.Range(0, random.Next(4)).Select(_ => RandomValue(random, depth - 1)).ToArray(),
    };

    private static T Choose<T>(Random random, params T[] values) => values[random.Next(values.Length)];

    private List<Document> Read(string name, byte[] bytes)
    {
        using var folder = new TemporaryFolder();
        return [.. DocumentReader.Read(CorpusSources.Resolve([folder.Write(name, bytes)])[0], _statistics)];
    }

    private static class Escaping
    {
        public static readonly JsonSerializerOptions All = new();
        public static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    }
}
