using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using ZstdSharp;

namespace Elastic.Corpus.Tests;

/// <summary>
/// Whatever bytes of a file are flipped, cut out, repeated or replaced by what its format treats specially: the reader gives documents or
/// a refusal that names the file, within bounded memory and time.
/// </summary>
public sealed class MutatedFilesTests : IDisposable
{
    private const int Seed = 20261126;
    private const int MutationsOfAFormat = 400;
    private const int MutationsOfAnArchive = 80;
    private const long MostAllocated = 300L << 20;

    private static readonly string Prose =
        string.Concat(Enumerable.Range(0, 60).Select(i => $"Sentence {i} of a text; naïve café 😀.\n\n"));

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a.txt", "\0 \r \n \uFEFF \uFFFF")]
    [InlineData("a.xml", "& &nbsp; < > </ /> <![CDATA[ ]]> <!-- --> <? ?> <!DOCTYPE &#x \" ' = xmlns:a=\"")]
    [InlineData("reference.xml", "& < > </ /> `` `99999999 ( ) { } [ ] @ ~ . , M: T: # <member name=\" </member> \"/> <see cref=\"")]
    [InlineData("a.html", "& < > </ /> <!-- --> </> <p> <table> <font> <svg> <template> <script> <pre> </pre> --! <select> <a> ]]> \" ' =")]
    [InlineData("a.jsonl", "\" \\ \\u \\ud800 { } [ ] : , \n \0 NaN \"text\": null")]
    [InlineData("a.jsonl.gz", "")]
    [InlineData("a.jsonl.zst", "")]
    [InlineData("a.tsv", "\t \t\t \r \n \uFEFF \\t \"")]
    [InlineData("a.csv", "\" , \n \r \uFEFF \"\"")]
    [InlineData("a.arrow", "")]
    [InlineData("a.warc", "WARC/1.0\r\n \r\n\r\n Content-Length:9999 chunked HTTP/1.1 gzip")]
    [InlineData("a.tar", "")]
    [InlineData("a.zip", "PK\u0003\u0004")]
    [InlineData("a.epub", "")]
    [InlineData("a.txt.bz2", "")]
    [InlineData("a.txt.xz", "")]
    [InlineData("a.bin", "")]
    public void A_mutated_file_is_read_or_refused_by_name(string name, string pieces)
    {
        var random = new Random(Seed);
        var original = Original(name);
        var special = pieces.Split(' ').Select(Encoding.UTF8.GetBytes).ToArray();
        var (read, refused, damaged) = (0, 0, 0);
        var mutations = name is "a.csv" or "a.arrow" || Formats.SmallArchives.TryGet(name) is not null
            ? MutationsOfAnArchive : MutationsOfAFormat;
        for (var i = 0; i < mutations; i++)
        {
            var path = _folder.Write(name, Mutate(random, original, special));
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                var statistics = new ReadStatistics();
                Read(path, statistics);
                read++;
                damaged += statistics.MalformedRecords > 0 || statistics.InvalidUtf8Sequences > 0 ? 1 : 0;
            }
            catch (ElasticException e)
            {
                Assert.Contains(name, e.Message, StringComparison.Ordinal);
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail($"mutation {i} of {name}, seed {Seed}: {e}");
            }
            // Other tests run beside this one.
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated);
        }
        Assert.True(read + refused == mutations && damaged + refused > mutations / 10, $"{read} {refused} {damaged}");
    }

    private void Read(string path, ReadStatistics statistics)
    {
        var (id, files) = CorpusIdentity.Identify(
            path.EndsWith(".tsv", StringComparison.Ordinal)
                ? CorpusSources.Find(Corpora.Settings(path) with { AnswerField = "answer" }).Files : CorpusSources.Resolve([path]),
            CorpusSettings.Defaults);
        if (CorpusSources.AreTokenShards(files))
        {
            var folder = _folder["out"];
            LlmcCorpus.Build(folder, id, Tokenizer.Open("gpt2"), files, CancellationToken.None);
            Directory.Delete(folder, recursive: true);
            return;
        }
        foreach (var document in files.SelectMany(f => DocumentReader.Read(f, statistics)))
            Assert.NotEqual("", document.Text);
    }

    private static byte[] Mutate(Random random, byte[] original, byte[][] special)
    {
        var bytes = original.ToList();
        for (var count = 1 + random.Next(6); count > 0 && bytes.Count > 8; count--)
        {
            var at = random.Next(bytes.Count);
            var length = Math.Min(bytes.Count - at, 1 << random.Next(10));
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.RemoveRange(at, length);
                    break;
                case 3:
                    bytes.InsertRange(random.Next(bytes.Count), [.. bytes.Skip(at).Take(length)]);
                    break;
                case 4:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                default:
                    // A piece that the format treats specially, up to a thousand times.
                    var piece = special[random.Next(special.Length)];
                    bytes.InsertRange(at, Enumerable.Repeat(piece, 1 << random.Next(11)).SelectMany(p => p));
                    break;
            }
        }
        return [.. bytes];
    }

    internal static byte[] Original(string name) => name switch
    {
        "a.txt" => Encoding.UTF8.GetBytes(Prose),
        "a.xml" => Encoding.UTF8.GetBytes(
            $"<?xml version='1.0' encoding='utf-8'?><book a='1'><!-- c --><p>{Prose}</p><![CDATA[x & y]]><i>a &nbsp; b</i></book>"),
        "reference.xml" => Encoding.UTF8.GetBytes($"""
            <?xml version="1.0"?><doc><assembly><name>A</name></assembly><members>
            <member name="T:A.B`2"><summary>Text <see cref="M:A.C.D``1(``0[]@,System.Collections.Generic.List&lt;`0&gt;)"/> of it.</summary>
            <typeparam name="TKey">k</typeparam><typeparam name="TValue">v</typeparam></member>
            <member name="M:A.B`2.#ctor(`0,`1,System.Int32)"><summary>{Prose}</summary>
            <param name="x">y</param><returns>z</returns></member>
            </members></doc>
            """),
        "a.html" => Encoding.UTF8.GetBytes(
            $"<!DOCTYPE html><html><head><title>T</title></head><body><h1>H</h1><p>{Prose}</p><pre>a\n b</pre>"
            + "<table><tr><td>c</table></body>"),
        "a.jsonl" => Encoding.UTF8.GetBytes(Lines()),
        "a.jsonl.gz" => TestBytes.Gzip(Encoding.UTF8.GetBytes(Lines())),
        "a.jsonl.zst" => new Compressor().Wrap(Encoding.UTF8.GetBytes(Lines())).ToArray(),
        "a.csv" => Encoding.UTF8.GetBytes("id,text\n" + string.Concat(Enumerable.Range(0, 60).Select(i => $"{i},\"row {i},\nof é\"\n"))),
        "a.arrow" => Formats.TableTests.Arrow(isFile: false, isLarge: true),
        _ when Formats.SmallArchives.TryGet(name) is { } archive => archive,
        "a.tsv" => Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 60).Select(i => $"source {i} é\ttarget \\t 😀 {i}\n"))),
        _ => Corpora.LlmcBytes([50256, .. Enumerable.Range(0, 500)]),
    };

    private static string Lines() => string.Concat(Enumerable.Range(0, 40).Select(i =>
        $"{{\"text\": \"document {i} \\ud83d\\ude00 \\n é\", \"meta\": {{\"pile_set_name\": \"Books\"}}, "
        + "\"list\": [1, {\"a\": null}]}\n"));
}
