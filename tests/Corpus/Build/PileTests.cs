using System.Text;
using Elastic.Corpus.Build;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Elastic.Corpus.Tests.Build;

/// <summary>The Pile as it was released: NN.jsonl.zst, with components, and a file to validate and one to test with.</summary>
public sealed class PileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Its_files_are_read_by_component_without_losing_what_is_there_twice_and_val_and_test_are_held_out()
    {
        // Two frames, the second with a window of 2^28 bytes, which is larger than libraries take unless they are told to.
        var more = Record("a page", "Pile-CC") + Record("a patent", "USPTO Backgrounds");
        _folder.Write("train/00.jsonl.zst", [.. Frame(Record("a page", "Pile-CC"), 0), .. Frame(more, 28)]);
        _folder.Write("val.jsonl.zst", Frame(Record("held out", "Pile-CC"), 0));
        _folder.Write("test.jsonl.zst", Frame(Record("tested on", "Github"), 0));
        var manifest = Manifests.OfSources(
            [("name", "pile"), ("paths[]", _folder["train"]), ("subsets", "true")],
            [("name", "pile-val"), ("paths[]", _folder["val.jsonl.zst"]), ("subsets", "true"), ("validation", "1")],
            [("name", "pile-test"), ("paths[]", _folder["test.jsonl.zst"]), ("subsets", "true"), ("test", "1")]);
        var built = new CorpusBuilder(manifest, new PieceStore(_folder["pieces"]), _folder["texts"]).Run(2, null, CancellationToken.None);
        Assert.Equal(
            [("pile/Pile-CC", "a page"), ("pile/Pile-CC", "a page"), ("pile/USPTO Backgrounds", "a patent")], Texts(built.TextFolder));
        Assert.Equal([("pile-val/Pile-CC", "held out")], Texts(built.FolderOf(Split.Validation)));
        Assert.Equal([("pile-test/Github", "tested on")], Texts(Path.Combine(built.Folder, "test")));
    }

    private static List<(string, string)> Texts(string folder) =>
    [
        .. CorpusSources.Resolve([folder]).SelectMany(f => DocumentReader.Read(f, new ReadStatistics())).Select(d => (d.Source, d.Text)),
    ];

    private static string Record(string text, string component) =>
        $"{{\"text\": \"{text}\", \"meta\": {{\"pile_set_name\": \"{component}\"}}}}\n";

    private static byte[] Frame(string lines, int windowLog)
    {
        using var memory = new MemoryStream();
        using (var stream = new CompressionStream(memory, 1))
        {
            if (windowLog > 0)
            {
                stream.SetParameter(ZSTD_cParameter.ZSTD_c_windowLog, windowLog);
                stream.SetParameter(ZSTD_cParameter.ZSTD_c_enableLongDistanceMatching, 1);
            }
            stream.Write(Encoding.UTF8.GetBytes(lines));
            // Without the size in the head a frame keeps its window.
            stream.Flush();
        }
        return memory.ToArray();
    }
}
