using System.Security.Cryptography;
using System.Text;
using Elastic.Corpus.Build;
using Parquet;
using Parquet.Schema;
using ZstdSharp;

namespace Elastic.Corpus.Tests.Build;

/// <summary>Large files are read in parts, and nobody can tell from what is built.</summary>
public sealed class SourcePartsTests : IDisposable
{
    private const int Lines = 300;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a.jsonl")]
    [InlineData("a.jsonl.gz")]
    [InlineData("a.jsonl.zst")]
    [InlineData("a.parquet")]
    public async Task What_is_built_does_not_depend_on_the_size_of_the_parts(string name)
    {
        _folder.Write($"in/{name}", await BytesOf(name));
        var whole = Build("whole", long.MaxValue);
        Assert.Equal(name == "a.parquet" ? Lines : Lines - 3, whole.Report.Read[0].Documents);
        foreach (var bytes in new[] { 900, 4000 })
        {
            var parts = Build($"parts{bytes}", bytes);
            Assert.Equal(Path.GetFileName(whole.Folder), Path.GetFileName(parts.Folder));
            Assert.Equal(FilesOf(whole), FilesOf(parts));
            Assert.True(Directory.GetFiles(_folder[$"parts{bytes}-pieces"]).Length > 2 || bytes > 900);
        }
    }

    [Fact]
    public void A_text_in_parts_loses_nothing_and_its_parts_have_names_of_their_own()
    {
        var text = string.Concat(Enumerable.Range(0, 500).Select(i => $"line {i} of a text\n"));
        var path = _folder.Write("a.txt", text);
        var file = CorpusSources.Resolve([path]).Single();
        var parts = FileParts.Of(file, new PartSize(1, 3000));
        var documents = parts.SelectMany(p => DocumentReader.Read(file with { Part = p }, new ReadStatistics())).ToList();
        Assert.Equal((4, text), (parts.Count, string.Concat(documents.Select(d => d.Text))));
        Assert.Equal(["a.txt", .. parts.Skip(1).Select(p => $"a.txt:{p.LinesBefore + 1}")], documents.Select(d => d.Name));
        Assert.All(parts.Skip(1), p => Assert.StartsWith($"line {p.LinesBefore} ", documents[p.Number].Text, StringComparison.Ordinal));
    }

    [Fact]
    public void Text_of_two_bytes_a_character_is_never_cut_between_them()
    {
        var path = _folder.Write("a.jsonl", Encoding.Unicode.GetBytes(string.Concat(Enumerable.Repeat("{\"text\": \"Ċ਀\"}\n", 100))));
        Assert.Empty(FileParts.Of(CorpusSources.Resolve([path]).Single(), new PartSize(100, 100)));
    }

    // What was read of the file as it was meanwhile must not stay in the store: the next build would take it for that of the file.
    [Theory]
    [InlineData(false)]                                                 // stopped after the first part
    [InlineData(true)]                                                  // with the time of before, so that only the bytes say it at the end
    public void Parts_that_were_read_of_a_file_while_it_was_another_one_are_not_kept(bool keepsTime)
    {
        var (time, path) = (new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc), _folder.Write("in/a.jsonl", []));
        void Fill(string word)
        {
            File.WriteAllText(path, string.Concat(Enumerable.Range(0, Lines).Select(i => $"{{\"text\": \"{word} text {i}\"}}\n")));
            File.SetLastWriteTimeUtc(path, word == "wrong" && !keepsTime ? time.AddMinutes(1) : time);
        }
        Fill("right");
        using var stop = new CancellationTokenSource();
        var manifest = Manifests.OfSources([("name", "in"), ("paths[]", _folder["in"]), ("on-reject", "stop")]);
        CorpusBuilder Builder(string name, Action<string>? step) =>
            new(manifest, new PieceStore(_folder[$"{name}-pieces"], step), _folder[$"{name}-texts"]) { PartSize = new PartSize(900, 900) };
        var reading = new Phases(phase =>
        {
            if (phase == "reads")
                Fill("wrong");
        });
        Assert.ThrowsAny<Exception>(() => Builder("hit", step =>
        {
            if (step == "keeps a piece" && !keepsTime)
                stop.Cancel();
        }).Run(1, reading, stop.Token));
        Fill("right");
        var (hit, whole) = (Builder("hit", null).Run(2, null, default), Builder("whole", null).Run(2, null, default));
        Assert.Equal(Path.GetFileName(whole.Folder), Path.GetFileName(hit.Folder));
        Assert.Equal(FilesOf(whole), FilesOf(hit));
    }

    private BuiltText Build(string name, long partBytes) =>
        new CorpusBuilder(
            Manifests.OfSources([("name", "in"), ("paths[]", _folder["in"])]), new PieceStore(_folder[$"{name}-pieces"]),
            _folder[$"{name}-texts"])
        {
            PartSize = new PartSize(partBytes, partBytes),
        }.Run(2, null, CancellationToken.None);

    private static List<(string, string)> FilesOf(BuiltText built) =>
    [
        .. Directory.GetFiles(built.Folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(f => (Path.GetRelativePath(built.Folder, f), Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(f))))),
    ];

    private static async Task<byte[]> BytesOf(string name)
    {
        // Three of the lines are faults, and one is empty.
        var lines = Enumerable.Range(0, Lines)
            .Select(i => i % 100 == 50 ? $"no record {i}\n" : $"{{\"text\": \"text {i} {i * 7919}\"}}\n").ToList();
        var bytes = Encoding.UTF8.GetBytes(string.Concat(lines[..150]) + "\n" + string.Concat(lines[150..]));
        // Members and frames end inside of lines, too.
        var pieces = bytes.Chunk(777);
        return name switch
        {
            "a.jsonl.gz" => [.. pieces.SelectMany(TestBytes.Gzip)],
            "a.jsonl.zst" => [.. pieces.SelectMany(piece => new Compressor().Wrap(piece).ToArray())],
            "a.parquet" => await ParquetOf(lines),
            _ => bytes,
        };
    }

    private static async Task<byte[]> ParquetOf(List<string> texts)
    {
        var text = new DataField<string>("text");
        using var memory = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(text), memory))
            foreach (var rows in texts.Chunk(30))
            {
                using var group = writer.CreateRowGroup();
                await group.WriteAsync(text, rows);
            }
        return memory.ToArray();
    }

    // Takes each phase as it begins.
    private sealed class Phases(Action<string> begin) : IProgress<BuildProgress>
    {
        private string _phase = "";

        public void Report(BuildProgress value)
        {
            if (value.Phase == _phase)
                return;
            _phase = value.Phase;
            begin(_phase);
        }
    }
}
