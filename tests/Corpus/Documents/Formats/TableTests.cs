using System.Text;
using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;

namespace Elastic.Corpus.Tests.Formats;

/// <summary>Tables: CSV and Arrow.</summary>
public sealed class TableTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ReadStatistics _statistics = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Fields_of_CSV_hold_commas_marks_and_ends_of_lines()
    {
        var documents = Read("a.csv", """"
            id,text,source,url
            1,plain,,http://a.example/1

            2,"with, a comma and ""marks""",web,
            3,"two
            lines",web,
            4,a "mark" inside,web,
            """".ReplaceLineEndings("\r\n"));
        Assert.Equal(
            ["plain", "with, a comma and \"marks\"", "two\r\nlines", "a \"mark\" inside"], documents.Select(d => d.Text));
        Assert.Equal(["a.csv:2", "a.csv:4", "a.csv:5", "a.csv:7"], documents.Select(d => d.Name));
        Assert.Equal(["a.csv", "web", "web", "web"], documents.Select(d => d.Source));
        Assert.Equal(["http://a.example/1", null, null, null], documents.Select(d => d.Url));
        Assert.Equal(0, _statistics.MalformedRecords);
    }

    [Fact]
    public void Rows_of_CSV_that_are_wrong_are_named_by_line()
    {
        Assert.Equal(["one", "four"], Read("a.csv", "id,text\n1,one\n2\n3,a,b\n4,four\n5,\"never closed\n6,six\n").Select(d => d.Text));
        Assert.Equal(
            [
                "a.csv:3 the row has 1 fields, and the head has 2", "a.csv:4 the row has 3 fields, and the head has 2",
                "a.csv:6 a quotation mark is never closed, and the rest of the file is lost",
            ],
            _statistics.Malformed.Select(m => m.ToString()));
        Refusal.Says(
            "has no column \"text\" (it has id, body): name the right one with corpus.text-field", () => Read("b.csv", "id,body\n1,x\n"));
        Assert.Empty(Read("empty.csv", "\n\n"));
    }

    [Fact]
    public void A_row_of_CSV_that_is_too_long_ends_where_its_quotation_marks_say()
    {
        var quoted = string.Concat(Enumerable.Repeat("a line, \"\"told\"\"\n9,no row\n", 10));
        var text = $"id,text\n1,one\n2,\"{quoted}\"\n3,\"three\nlines\"\n4,{new string('x', 40)} \"and\" more\n5,five\n"
            + $"6,{new string('y', 50)}";
        var file = CorpusSources.Resolve([_folder.Write("a.csv", text)]).Single();
        var reading = file.Reading with { LongestRecord = 30, PassesOverRejects = true };
        Assert.Equal(
            ["one", "three\nlines", "five"], DocumentReader.Read(file with { Reading = reading }, _statistics).Select(d => d.Text));
        Assert.Equal([3L, 26L, 28L], _statistics.Malformed.Select(m => m.Line));
        Assert.All(_statistics.Malformed, m => Assert.Contains("of more than 30 characters", m.Reason, StringComparison.Ordinal));
        // A row of exactly that many characters is none.
        var just = CorpusSources.Resolve([_folder.Write("b.csv", $"text,b\ny,{new string('b', 27)}\n")]).Single();
        Assert.Equal(["y"], DocumentReader.Read(just with { Reading = reading }, _statistics).Select(d => d.Text));
        Assert.Contains("csv 2", string.Concat(CorpusIdentity.OfFile(file with { Reading = reading }).Reading), StringComparison.Ordinal);
        Assert.DoesNotContain("csv", string.Concat(CorpusIdentity.OfFile(file).Reading), StringComparison.Ordinal);
        Refusal.Says("has a row at line 3 of more than 30 characters", () => DocumentReader.Read(
            file with { Reading = reading with { PassesOverRejects = false } }, _statistics).ToList());
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Arrow_is_read_as_a_stream_and_as_a_file_with_short_and_long_texts(bool isFile, bool isLarge)
    {
        var documents = Read("a.arrow", Arrow(isFile, isLarge));
        Assert.Equal(["one", "naïve 😀", "three", "one", "naïve 😀", "three"], documents.Select(d => d.Text));
        Assert.Equal(["web", "a.arrow", "web"], documents.Take(3).Select(d => d.Source));
        Assert.Equal(["a.arrow:0", "a.arrow:1", "a.arrow:3", "a.arrow:4"], documents.Take(4).Select(d => d.Name));
        Assert.Equal((0, 2), (_statistics.MalformedRecords, _statistics.EmptyDocuments));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Texts_of_Arrow_that_are_stored_once_and_numbered_are_read(bool isFile)
    {
        var type = new DictionaryType(UInt8Type.Default, StringType.Default, false);
        var column = new DictionaryArray(
            type, new UInt8Array.Builder().Append(1).Append(0).AppendNull().Append(1).Build(), Of(["zero", "one"]));
        var batch = new RecordBatch.Builder().Append("text", true, column).Build();
        Assert.Equal(["one", "zero", "one"], Read("a.arrow", Written(isFile, batch)).Select(d => d.Text));
        Assert.Equal((0, 1), (_statistics.MalformedRecords, _statistics.EmptyDocuments));

        // A number beyond the texts costs the rows from there on.
        var wrong = new DictionaryArray(type, new UInt8Array.Builder().Append(1).Append(2).Append(0).Build(), Of(["zero", "one"]));
        Assert.Single(Read("b.arrow", Written(isFile, new RecordBatch.Builder().Append("text", true, wrong).Build())));
        Assert.Equal(2, _statistics.MalformedRecords);
    }

    [Theory]
    [InlineData(CompressionCodecType.Lz4Frame, false)]
    [InlineData(CompressionCodecType.Lz4Frame, true)]
    [InlineData(CompressionCodecType.Zstd, false)]
    [InlineData(CompressionCodecType.Zstd, true)]
    public void Buffers_of_Arrow_may_be_compressed(CompressionCodecType codec, bool isFile)
    {
        var texts = Enumerable.Range(0, 1000).Select(i => $"row {i % 5} of many").ToArray();
        var batch = new RecordBatch.Builder().Append("text", true, Of(texts)).Build();
        var options = new IpcOptions { CompressionCodec = codec, CompressionCodecFactory = new CompressionCodecFactory() };
        var bytes = Written(isFile, options, batch, batch);
        Assert.True(bytes.Length < texts.Length * 10);
        Assert.Equal([.. texts, .. texts], Read("a.arrow", bytes).Select(d => d.Text));
        Assert.Equal(0, _statistics.MalformedRecords);

        // What a buffer claims to become stands before its compressed bytes: it is no reason to make room for 2 GB.
        ReadOnlySpan<byte> mark = codec == CompressionCodecType.Zstd ? [0x28, 0xB5, 0x2F, 0xFD] : [0x04, 0x22, 0x4D, 0x18];
        BitConverter.TryWriteBytes(bytes.AsSpan(bytes.AsSpan().LastIndexOf(mark) - sizeof(long)), 2_000_000_000L);
        Assert.Equal(texts, Read("b.arrow", bytes).Select(d => d.Text));
        Assert.Contains("batch 1 cannot be read, and the rest of the file is lost: a buffer claims 2000000000 bytes, more than a file of "
            + "this size may hold", Assert.Single(_statistics.Malformed).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_batch_may_have_as_many_rows_as_its_file_has_bytes_and_one_that_cannot_be_read_counts_in_bytes()
    {
        var type = new DictionaryType(UInt8Type.Default, StringType.Default, false);
        var column = new DictionaryArray(
            type, new UInt8Array.Builder().AppendRange(Enumerable.Repeat((byte)1, 10_000)).Build(), Of(["zero", "one"]));
        var bytes = Written(false, new RecordBatch.Builder().Append("text", true, column).Build());
        Assert.InRange(bytes.Length, 10_000, 20_000);
        Assert.Equal(10_000, Read("a.arrow", bytes).Count);
        Assert.Equal(0, _statistics.MalformedRecords);
        // Earlier versions left that batch out.
        const string Line = "arrow 2: a batch may have as many rows as the file has bytes";
        Assert.Contains(Line, ReadingOf("a.arrow"));
        _folder.Write("b.arrow", Arrow(isFile: true, isLarge: true));
        Assert.DoesNotContain(Line, ReadingOf("b.arrow"));

        var wrong = new DictionaryArray(type, new UInt8Array.Builder().AppendRange(
            Enumerable.Range(0, 1000).Select(i => (byte)(i < 500 ? 1 : 2))).Build(), Of(["zero", "one"]));
        Assert.Equal(500, Read("c.arrow", Written(false, new RecordBatch.Builder().Append("text", true, wrong).Build())).Count);
        Assert.InRange(_statistics.LostBytes, 500, 1500);

        IReadOnlyList<string> ReadingOf(string name) => CorpusIdentity.OfFile(CorpusSources.Resolve([_folder[name]]).Single()).Reading;
    }

    // Arrow's library for JavaScript writes a file so: its columns are in the foot alone.
    [Fact]
    public void An_Arrow_file_that_does_not_begin_with_its_columns_is_refused_with_what_to_do()
    {
        var bytes = Arrow(isFile: true, isLarge: false);
        var schema = 8 + 8 + BitConverter.ToInt32(bytes, 12);
        Refusal.Says("does not say in its first message which columns it has", () => Read("a.arrow", [.. bytes[..8], .. bytes[schema..]]));
    }

    // In a batch, in its description, or behind it, where a stream may end and a file may not.
    [Theory]
    [InlineData(false, 100, "message 2 is cut short or claims more than there is")]
    [InlineData(true, 300, "message 2 is cut short or claims more than there is")]
    [InlineData(true, -1, "the file ends behind 3 messages, without its foot")]
    public void Arrow_that_is_cut_short_is_refused_and_a_build_that_goes_on_keeps_the_batches_before(bool isFile, int missing, string why)
    {
        var bytes = Arrow(isFile, isLarge: false);
        var end = missing > 0 ? bytes.Length - missing : bytes.AsSpan().LastIndexOf(EndMark);
        Refusal.Says(
            $"a.arrow is cut short or damaged, and how much of it is lost is not known ({why}", () => Read("a.arrow", bytes[..end]));
        var file = CorpusSources.Resolve([_folder["a.arrow"]]).Single();
        var documents = DocumentReader.Read(file with { Reading = file.Reading with { PassesOverRejects = true } }, _statistics).ToList();
        Assert.Equal(missing > 0 ? 3 : 6, documents.Count);
        Assert.Equal($"a.arrow {why}, and the rest of the file is lost", Assert.Single(_statistics.Malformed).ToString());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_text_of_Arrow_that_lies_outside_of_its_buffer_is_damage(bool isLarge)
    {
        var bytes = Arrow(isFile: false, isLarge);
        byte[] ends = isLarge ? [.. new[] { 14L, 14, 19 }.SelectMany(BitConverter.GetBytes)]
            : [.. new[] { 14, 14, 19 }.SelectMany(BitConverter.GetBytes)];
        var place = bytes.AsSpan().LastIndexOf(ends) + ends.Length / 3 * 2;
        foreach (var wrong in new[] { 200, 1 << 30, int.MinValue })
        {
            BitConverter.GetBytes(wrong).CopyTo(bytes, place);
            Assert.Equal(5, Read("a.arrow", bytes).Count);
            Assert.StartsWith("batch 1 is damaged from row 3 on (", _statistics.Malformed[^1].Reason, StringComparison.Ordinal);
        }
    }

    // Arrow.jl and old libraries for Go leave out the mark of the end before the foot.
    [Fact]
    public void A_file_of_Arrow_ends_at_its_foot_with_or_without_the_mark_of_the_end()
    {
        var bytes = Arrow(isFile: true, isLarge: false);
        var mark = bytes.AsSpan().LastIndexOf(EndMark);
        byte[] unmarked = [.. bytes[..mark], .. bytes[(mark + EndMark.Length)..]];
        Assert.Equal(6, Read("a.arrow", unmarked).Count);
        Assert.Equal(6, Read("b.arrow", bytes).Count);
        Assert.Empty(_statistics.Malformed);
        Assert.Equal(6, Read("c.arrow", [.. bytes, .. bytes]).Count);
        Assert.Equal(
            "c.arrow what follows the messages is not the foot of the file, and is lost", Assert.Single(_statistics.Malformed).ToString());
        // The foot of the second is that of the file.
        Assert.Equal(bytes.Length, _statistics.LostBytes);
    }

    // What follows the end changes what is read only where the id of the corpus says so, too: nobody sees it in a packed file.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Joined_streams_of_Arrow_are_read_to_the_last_one_or_named(bool isLegacy)
    {
        const string line = "arrow 3: streams behind the first one are read";
        var options = new IpcOptions { WriteLegacyIpcFormat = isLegacy };
        byte[] first = Of("one", 1), second = Of("two", 300);
        byte[] joined = [.. first, .. second];
        Assert.Equal(301, Read("a.arrow", joined).Select(d => d.Text).Distinct().Count());
        Assert.Equal("a.arrow:300", Read("a.arrow", joined)[^1].Name);
        // Several marks of the end, and zeros; and streams without rows.
        Assert.Equal(301, Read("b.arrow", [.. first, .. EndMark, .. new byte[1000], .. second]).Count);
        Assert.Single(Read("c.arrow", [.. first, .. new byte[1001]]));
        Assert.Single(Read("d.arrow", [.. first, .. Of("none", 0)]));
        Assert.Empty(_statistics.Malformed);
        Assert.Single(Read("a.arrow.gz", TestBytes.Gzip(joined)));
        Assert.Single(Read("e.arrow", [.. first, .. "rest of it"u8]));
        Assert.All(_statistics.Malformed, m => Assert.StartsWith(
            "what follows the end of the stream is lost: ", m.Reason, StringComparison.Ordinal));
        Assert.Equal((2, second.Length + 10), (_statistics.MalformedRecords, _statistics.LostBytes));
        Assert.Equal(
            [true, true, false, false, false, false],
            new[] { "a.arrow", "b.arrow", "c.arrow", "d.arrow", "e.arrow", "a.arrow.gz" }.Select(name =>
                CorpusIdentity.OfFile(CorpusSources.Resolve([_folder[name]]).Single()).Reading.Contains(line)));

        byte[] Of(string text, int rows) => Written(false, options, new RecordBatch.Builder()
            .Append("text", false, TableTests.Of([.. Enumerable.Range(0, rows).Select(i => $"{text} {i}")])).Build());
    }

    [Fact]
    public void Arrow_whose_packing_is_damaged_keeps_the_batches_before_and_is_not_taken_for_cut_short()
    {
        var bytes = Arrow(isFile: false, isLarge: false);
        var end = bytes.Length - 40;
        byte[] behind = [.. TestBytes.Gzip(bytes[end..])];
        behind.AsSpan(10, 8).Fill(0xFF);
        Assert.Equal(3, Read("a.arrow.gz", [.. TestBytes.Gzip(bytes[..end]), .. behind]).Count);
        Assert.Contains("the compressed data ends or breaks here", _statistics.Malformed[0].Reason, StringComparison.Ordinal);
    }

    private static byte[] EndMark => [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];

    // Two batches of four rows, of which one has no text.
    internal static byte[] Arrow(bool isFile, bool isLarge)
    {
        string?[] texts = ["one", "naïve 😀", null, "three"], sources = ["web", null, "web", "web"];
        IArrowArray column;
        if (isLarge)
        {
            var all = Encoding.UTF8.GetBytes(string.Concat(texts));
            var ends = texts.Select(t => (long)Encoding.UTF8.GetByteCount(t ?? "")).Aggregate(
                new List<long> { 0 }, (list, length) => [.. list, list[^1] + length]);
            column = new LargeStringArray(
                4, new ArrowBuffer.Builder<long>().AppendRange(ends).Build(), new ArrowBuffer.Builder<byte>().AppendRange(all).Build(),
                new ArrowBuffer(new byte[] { 0b1011 }), 1);
        }
        else
        {
            column = Of(texts);
        }
        var batch = new RecordBatch.Builder().Append("id", false, new Int64Array.Builder().AppendRange([1L, 2, 3, 4]).Build())
            .Append("text", true, column).Append("source", true, Of(sources)).Build();
        return Written(isFile, batch, batch);
    }

    private static byte[] Written(bool isFile, params RecordBatch[] batches) => Written(isFile, new IpcOptions(), batches);

    private static byte[] Written(bool isFile, IpcOptions options, params RecordBatch[] batches)
    {
        using var memory = new MemoryStream();
        var schema = batches[0].Schema;
        using (var writer = isFile
            ? new ArrowFileWriter(memory, schema, true, options) : new ArrowStreamWriter(memory, schema, true, options))
        {
            foreach (var batch in batches)
                writer.WriteRecordBatch(batch);
            writer.WriteEnd();
        }
        return memory.ToArray();
    }

    private static StringArray Of(string?[] texts)
    {
        var builder = new StringArray.Builder();
        foreach (var text in texts)
            _ = text is null ? builder.AppendNull() : builder.Append(text);
        return builder.Build();
    }

    private List<Document> Read(string name, string text) => Read(name, Encoding.UTF8.GetBytes(text));

    private List<Document> Read(string name, byte[] bytes)
    {
        var path = _folder.Write(name, bytes);
        return [.. DocumentReader.Read(CorpusSources.Resolve([path]).Single(), _statistics)];
    }
}
