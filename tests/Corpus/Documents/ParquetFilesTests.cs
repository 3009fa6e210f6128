using System.Text;
using Elastic.Corpus.Parquet;
using Elastic.Foundation;
using Parquet;
using Parquet.Schema;

namespace Elastic.Corpus.Tests;

/// <summary>Files that Apache Arrow's library has written (folder Parquet), whole and damaged.</summary>
public class ParquetFilesTests
{
    private const int Rows = 300;
    private const int MutationSeed = 20_261_126, MutationsOfEachFile = 400;
    private const long MutatedAllocationBytes = 512 << 20;
    private static readonly TimeSpan MutationsDeadline = TimeSpan.FromSeconds(60);

    // Each line: a name, and the file in Base64.
    private static readonly SortedDictionary<string, byte[]> Saved = new(
        File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Documents", "parquet-files.txt")).Select(line => line.Split(' '))
            .ToDictionary(words => words[0], words => Convert.FromBase64String(words[1])),
        StringComparer.Ordinal);

    private readonly ReadStatistics _statistics = new();

    // Versions of pages, compressions and encodings are in the names.
    public static TheoryData<string> Files =>
        [.. Saved.Keys.Where(name => name.StartsWith('v'))];

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_version_compression_and_encoding_gives_the_same_texts(string file)
    {
        Assert.Equal(
            Enumerable.Range(0, Rows).Where(i => i % 7 != 3).Select(i => $"row {i} of {i % 5}"), Read(BytesOf(file)).Select(d => d.Text));
        Assert.Equal(Enumerable.Range(0, Rows).Count(i => i % 7 == 3), _statistics.EmptyDocuments);
        Assert.Equal(0, _statistics.MalformedRecords);
    }

    [Theory]
    [InlineData("nulls-v1-snappy-dictionary.parquet")]
    [InlineData("nulls-v2-snappy-plain.parquet")]
    public void A_page_of_nulls_has_empty_rows_and_is_not_damaged(string file)
    {
        Assert.Empty(Read(BytesOf(file)));
        Assert.Equal((5, 0), (_statistics.EmptyDocuments, _statistics.MalformedRecords));
    }

    [Theory]
    [InlineData("required.parquet")]
    [InlineData("no-checksums.parquet")]
    [InlineData("not-annotated.parquet")]
    public void A_column_of_bytes_is_text_whether_it_is_marked_as_such_or_not(string file) =>
        Assert.Equal(Enumerable.Range(0, 5).Select(i => $"row {i}"), Read(BytesOf(file)).Select(d => d.Text));

    [Fact]
    public void A_dictionary_page_that_is_not_found_is_said_and_makes_no_empty_documents()
    {
        var bytes = BytesOf("v1-uncompressed-dictionary.parquet");
        Assert.Equal([0x15, 4], bytes[4..6]);                           // field 1 of the first page's header: dictionary page
        bytes[5] = 2;                                                   // index page, which readers pass over
        Refusal.Says("there is none", () => Read(bytes));
        Assert.Equal(0, _statistics.EmptyDocuments);
    }

    [Fact]
    public void Invalid_UTF8_is_replaced_and_counted()
    {
        var bytes = BytesOf("no-checksums.parquet");
        bytes[Find(bytes, "row 3")] = 0xFF;
        Assert.Equal("\uFFFDow 3", Read(bytes)[3].Text);
        Assert.Equal(1, _statistics.InvalidUtf8Sequences);
    }

    [Fact]
    public void A_page_that_does_not_match_its_checksum_is_damaged()
    {
        var bytes = BytesOf("v2-uncompressed-plain.parquet");
        bytes[Find(bytes, "row 0 of 0")] = (byte)'R';
        Refusal.Says("do not match their checksum", () => Read(bytes));
    }

    [Fact]
    public void A_compression_that_is_not_read_is_named_with_what_to_do()
    {
        Assert.Contains("LZO, which is not read: write the file again", ParquetCompression.ProblemOf(3), StringComparison.Ordinal);
        Assert.Contains("codec 42", ParquetCompression.ProblemOf(42), StringComparison.Ordinal);
    }

    // Damaged so that a common library never comes back from them.
    [Theory]
    [InlineData("endless-1.parquet")]
    [InlineData("endless-2.parquet")]
    public void Damage_ends_in_a_sentence_and_never_in_a_loop(string file) => Refusal.Says("a.parquet is ", () => Read(BytesOf(file)));

    [Fact]
    public void A_text_that_a_few_bytes_repeat_without_end_is_refused_before_it_fills_memory()
    {
        var budget = new ReadBudget("a.parquet", fileBytes: 400);
        budget.Spend(ReadBudget.Least);
        Refusal.Says("a.parquet expands to more than 1024 times its 400 bytes", () => { budget.Spend(1 << 20); return null; });
    }

    [Fact]
    public async Task A_file_that_becomes_too_large_or_has_no_text_is_passed_over_where_rejects_are()
    {
        using var folder = new TemporaryFolder();
        // Of a longer text the statistics alone make a large file.
        string[] texts = [.. Enumerable.Repeat(new string('x', 1 << 10), 28_000)];
        var paths = new[]
        {
            folder.Write("a.parquet", await WithParquetNet("text", texts, CompressionMethod.Zstd, groups: 6)),
            folder.Write("b.parquet", await WithParquetNet("title", ["one"])),
        };
        foreach (var (path, why) in paths.Zip(["expands to more than 1024 times", "has no column \"text\" of strings (it has title)"]))
        {
            var statistics = new ReadStatistics();
            var file = Assert.Single(CorpusSources.Resolve([path]));
            Refusal.Says(why, () => DocumentReader.Read(file, new ReadStatistics()).Count());
            var passedOver = file with { Reading = file.Reading with { PassesOverRejects = true } };
            Assert.InRange(DocumentReader.Read(passedOver, statistics).Count(), 0, 6 * texts.Length - 1);
            Assert.Equal(1, statistics.MalformedRecords);
        }
    }

    [Fact]
    public void A_page_that_claims_to_become_gigabytes_is_damaged() =>
        Assert.Throws<InvalidDataException>(() => new ReadBudget("a.parquet", 1 << 30).SpendPage(int.MaxValue, compressedBytes: 100));

    [Fact]
    public async Task Mutated_files_give_documents_or_one_sentence_that_names_the_file_in_bounded_time_and_memory()
    {
        List<byte[]> whole = [.. Saved.Values,
            await WithParquetNet()];
        using var folder = new TemporaryFolder();
        var (at, refused) = ("", 0);
        var reading = Task.Run(() =>
        {
            for (var file = 0; file < whole.Count; file++)
            {
                for (var mutation = 0; mutation < MutationsOfEachFile; mutation++)
                {
                    at = $"file {file}, mutation {mutation}";
                    var mutated = Mutate(whole[file], new Random(MutationSeed + file * MutationsOfEachFile + mutation));
                    var before = GC.GetAllocatedBytesForCurrentThread();
                    if (!TryRead(folder.Write("a.parquet", mutated)))
                        refused++;
                    Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MutatedAllocationBytes);
                }
            }
        }, TestContext.Current.CancellationToken);
        Assert.True(reading == await Task.WhenAny(reading, Task.Delay(MutationsDeadline, TestContext.Current.CancellationToken)),
            $"still reading {at} after {MutationsDeadline.TotalSeconds} s");
        Assert.True(reading.IsCompletedSuccessfully, $"{at}: {reading.Exception?.InnerException}");
        Assert.InRange(refused, MutationsOfEachFile, MutationsOfEachFile * whole.Count);
    }

    private static bool TryRead(string path)
    {
        try
        {
            foreach (var _ in DocumentReader.Read(CorpusSources.Resolve([path])[0], new ReadStatistics())) { }
            return true;
        }
        catch (ElasticException e)
        {
            Assert.Contains("a.parquet", e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', e.Message);
            return false;
        }
    }

    private static byte[] Mutate(byte[] whole, Random random)
    {
        var bytes = whole.ToList();
        for (var changes = random.Next(1, 5); changes > 0; changes--)
        {
            // Half of them in the metadata, which is at the end.
            var place = random.Next(2) == 0 ? random.Next(bytes.Count) : bytes.Count - 1 - random.Next(Math.Min(bytes.Count, 200));
            switch (random.Next(6))
            {
                case 0: bytes[place] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[place] = (byte)random.Next(256); break;
                case 2: bytes[place] = 0xFF; break;
                case 3: bytes[place] = 0; break;
                case 4: bytes.Insert(place, bytes[random.Next(bytes.Count)]); break;
                default: bytes.RemoveRange(place, Math.Min(random.Next(1, 9), bytes.Count - place)); break;
            }
        }
        return [.. bytes];
    }

    private List<Document> Read(byte[] bytes)
    {
        using var folder = new TemporaryFolder();
        return [.. DocumentReader.Read(CorpusSources.Resolve([folder.Write("a.parquet", bytes)])[0], _statistics)];
    }

    private static byte[] BytesOf(string file) => [.. Saved[file]];

    private static int Find(byte[] bytes, string text)
    {
        var place = bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text));
        return place >= 0 ? place : throw new InvalidOperationException($"there is no {text}");
    }

    private static Task<byte[]> WithParquetNet() => WithParquetNet("text", ["one", "two", "three", "two"]);

    private static async Task<byte[]> WithParquetNet(
        string column, string[] values, CompressionMethod compression = CompressionMethod.Snappy, int groups = 1)
    {
        var text = new DataField<string>(column);
        using var file = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(
            new ParquetSchema(text), file, new ParquetOptions { CompressionMethod = compression }))
        {
            for (var group = 0; group < groups; group++)
            {
                using var rows = writer.CreateRowGroup();
                await rows.WriteAsync(text, values);
            }
        }
        return file.ToArray();
    }
}
