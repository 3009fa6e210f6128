using System.IO.Compression;
using System.Text;
using Elastic.Corpus.Build;
using ZstdSharp;

namespace Elastic.Corpus.Tests.Build;

/// <summary>What people have is damaged: it is counted and named, and the build goes on, or stops where that is asked for.</summary>
public sealed class SourceRejectsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Whatever_cannot_be_read_is_named_and_all_else_is_read()
    {
        var jsonl = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 200).Select(i => $"{{\"text\": \"text {i * 7919}\"}}\n")));
        using (var packed = new MemoryStream())
        {
            using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
                gzip.Write(jsonl);
            _folder.Write("in/cut.jsonl.gz", packed.ToArray()[..^20]);
        }
        _folder.Write("in/cut.jsonl.zst", new Compressor().Wrap(jsonl).ToArray()[..^20]);
        _folder.Write("in/broken.parquet", "PAR1 but no more");
        _folder.Write("in/broken.zip", "PK but no more");
        var texts = new[] { "before", new string('x', 1 << 20), "after" };
        _folder.Write("in/long.jsonl", string.Concat(texts.Select(text => $"{{\"text\": \"{text}\"}}\n")));
        _folder.Write("in/mark.txt", [0xEF, 0xBB, 0xBF, .. "marked"u8]);
        _folder.Write("in/wide.txt", [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes("wide é")]);
        _folder.Write("in/latin.txt", Encoding.Latin1.GetBytes("latin é"));
        _folder.Write("in/picture.png", "PNG");
        Directory.CreateDirectory(_folder["in/sub"]);
        Directory.CreateSymbolicLink(_folder["in/sub/up"], "..");
        File.CreateSymbolicLink(_folder["in/one.txt"], "two.txt");
        File.CreateSymbolicLink(_folder["in/two.txt"], "one.txt");

        var built = Build([("longest-record", "1")]);
        var read = CorpusSources.Resolve([built.TextFolder]).SelectMany(f => DocumentReader.Read(f, new ReadStatistics()))
            .Select(d => d.Text).ToList();
        Assert.Superset(new HashSet<string> { "before", "after", "marked", "wide é", "latin \uFFFD" }, read.ToHashSet());
        var rejects = File.ReadAllLines(Path.Combine(built.Folder, "rejects.txt"));
        foreach (var part in new[]
        {
            "cut.jsonl.gz:", "cut.jsonl.zst:", "broken.parquet is not a Parquet file", "broken.zip is not a zip file",
            "long.jsonl has a line 2 of more than 1048576 bytes", "one.txt cannot be read", "two.txt cannot be read",
            "source in: not read: 1 .png, 1 linked folder", "source in: latin.txt has 1 sequence of bytes that became U+FFFD",
        })
            Assert.Single(rejects, line => line.Contains(part, StringComparison.Ordinal));
        Assert.All(rejects, line => Assert.StartsWith("source in: ", line, StringComparison.Ordinal));
        Assert.Equal((5, 1), (built.Report.Malformed, built.Report.InvalidUtf8Sequences));
        Assert.Contains("Records that could not be read: 5", File.ReadAllText(Path.Combine(built.Folder, "datasheet.md")),
            StringComparison.Ordinal);

        // Nothing of it says where the folder is: the same files elsewhere are the same text, read anew or from what was read before.
        Directory.Move(_folder["in"], _folder["elsewhere"]);
        foreach (var pieces in new[] { "pieces", "others" })
        {
            var moved = new CorpusBuilder(
                Manifests.OfSources([("name", "in"), ("paths[]", _folder["elsewhere"]), ("longest-record", "1")]),
                new PieceStore(_folder[pieces]), _folder[$"texts-{pieces}"]).Run(2, null, CancellationToken.None);
            Assert.Equal(File.ReadAllText(Path.Combine(built.Folder, "rejects.txt")),
                File.ReadAllText(Path.Combine(moved.Folder, "rejects.txt")));
            Assert.Equal(File.ReadAllText(Path.Combine(built.Folder, BuiltText.FileName)),
                File.ReadAllText(Path.Combine(moved.Folder, BuiltText.FileName)));
        }
    }

    [Fact]
    public void What_is_made_to_fill_memory_or_disk_or_lies_about_itself_is_named_and_costs_nothing_else()
    {
        _folder.Write("in/deep.html", string.Concat(Enumerable.Repeat("<div>", 100_000)) + "deep");
        // 65 MiB, which is beyond what a file of that size may become.
        var zeros = new byte[65 << 20];
        zeros.AsSpan().Fill((byte)'\n');
        _folder.Write("in/bomb.txt.zst", new Compressor().Wrap(zeros).ToArray());
        using (var zip = new ZipArchive(new FileStream(_folder["in/bomb.zip"], FileMode.CreateNew), ZipArchiveMode.Create))
        {
            using (var good = zip.CreateEntry("good.txt").Open())
                good.Write("in the archive"u8);
            using var entry = zip.CreateEntry("zeros.txt").Open();
            entry.Write(zeros);
        }
        _folder.Write("in/crawl.warc", string.Concat(new[] { ("one", 3), ("second", 2), ("third", 5) }.Select(r =>
            $"WARC/1.0\r\nWARC-Type: resource\r\nWARC-Target-URI: http://a.example/{r.Item1}\r\nContent-Type: text/plain\r\n"
            + $"Content-Length: {r.Item2}\r\n\r\n{r.Item1}\r\n\r\n")));
        // An id is no name: a document is named by its file and its line.
        _folder.Write("in/ids.jsonl", "{\"id\": 7, \"text\": \"one\"}\n{\"id\": 7, \"text\": \"other\"}\n{\"id\": 7, \"text\": \"one\"}\n");
        _folder.Write("in/closed/a.txt", "closed");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_folder["in/closed"], UnixFileMode.None);
        var mayBeRead = OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess;

        var built = Build([]);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_folder["in/closed"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var rows = built.Rows().ToDictionary(r => r.Name, r => r);
        Assert.Superset(
            new HashSet<string> { "ids.jsonl:1", "ids.jsonl:2", "ids.jsonl:3", "bomb.zip:good.txt", "crawl.warc:1", "crawl.warc:3" },
            rows.Keys.ToHashSet());
        var rejects = File.ReadAllLines(Path.Combine(built.Folder, "rejects.txt"));
        foreach (var part in new[]
        {
            "elements more than 510 deep: mend the file, or leave it out (corpus.exclude = [\"deep.html\"])",
            "bomb.txt.zst becomes more than 67108864 bytes", "bomb.zip zeros.txt is left out: ",
            "crawl.warc:2 the record of http://a.example/second is left out: its Content-Length of 2 is wrong",
        })
            Assert.Single(rejects, line => line.Contains(part, StringComparison.Ordinal));
        Assert.Equal(mayBeRead ? 0 : 1, rejects.Count(line => line.Contains("closed cannot be read to its end", StringComparison.Ordinal)));
        Assert.Equal(4, built.Report.Malformed);
    }

    [Fact]
    public void A_source_may_ask_to_stop_at_the_first_of_them_also_where_another_build_went_on()
    {
        _folder.Write("in/a.jsonl", "{\"text\": \"one\"}\nno record\n");
        Build([]);
        Refusal.Says(
            "the source in has 1 records that cannot be read, and its on-reject is stop: a.jsonl:2 it is not a JSON object",
            () => Build([("on-reject", "stop")]));
        _folder.Write("in/a.jsonl", new string('x', 2 << 20));
        Refusal.Says("has a line 1 of more than 1048576 bytes", () => Build([("on-reject", "stop"), ("longest-record", "1")]));
    }

    [Fact]
    public void A_file_that_grows_while_it_is_read_is_left_out_and_named_and_read_the_next_time()
    {
        _folder.Write("in/a.txt", "one");
        _folder.Write("in/b.txt", "two");
        var grows = new Reports(_ => File.AppendAllText(_folder["in/b.txt"], "."));
        var first = Build([], grows);
        Assert.Equal(1, first.Report.Read[0].Documents);
        Assert.Contains("b.txt changed while it was read", Assert.Single(File.ReadAllLines(Path.Combine(first.Folder, "rejects.txt"))),
            StringComparison.Ordinal);
        Assert.Equal(2, Build([]).Report.Read[0].Documents);
    }

    [Fact]
    public void A_trial_reads_so_many_documents_of_each_source_and_no_file_behind_them()
    {
        _folder.Write("in/a.jsonl", "{\"text\": \"1\"}\n{\"text\": \"2\"}\n");
        _folder.Write("in/b.jsonl", "{\"text\": \"3\"}\n{\"text\": \"4\"}\n");
        _folder.Write("in/c.parquet", "never looked at");
        _folder.Write("other/d.txt", "5");
        var manifest = Manifests.OfSources(
            [("name", "in"), ("paths[]", _folder["in"])], [("name", "other"), ("paths[]", _folder["other"])]) with
        { Limit = 3 };
        var trial = new CorpusBuilder(manifest, new PieceStore(_folder["pieces"]), _folder["texts"]).Run(2, null, default);
        Assert.Equal([3L, 1], trial.Report.Read.Select(r => r.Documents));
        Assert.False(File.Exists(Path.Combine(trial.Folder, "rejects.txt")));
        Assert.Equal(trial.Folder,
            new CorpusBuilder(manifest, new PieceStore(_folder["pieces"]), _folder["texts"]).Run(1, null, default).Folder);
    }

    [Fact]
    public void Block_lists_leave_out_domains_URLs_and_paths()
    {
        _folder.Write("in/a.jsonl", string.Concat(new[]
        {
            "http://good.example/x", "https://sub.Bad.example/x", "http://notbad.example/", "http://good.example/private/x",
            "http://bad.example/",
        }.Select(url => $"{{\"text\": \"{url}\", \"url\": \"{url}\"}}\n")));
        _folder.Write("in/drafts/b.txt", "a draft");
        var list = _folder.Write(
            "list.txt", "# domains\nbad.example\nhttp://good.example/private/ # and below\nhttp://good.example/other\npath drafts\n");
        var built = Build([("block-lists[]", list)]);
        Assert.Equal((2, 3), (built.Report.Read[0].Documents, built.Report.Unread));
        Assert.Contains("source in: a.jsonl a.jsonl:2: https://sub.Bad.example/x is in a block list",
            File.ReadAllLines(Path.Combine(built.Folder, "rejects.txt")));
        File.AppendAllText(list, "notbad.example\n");
        Assert.Equal(1, Build([("block-lists[]", list)]).Report.Read[0].Documents);
        Refusal.Says("cannot be read", () => Build([("block-lists[]", _folder["none.txt"])]));
    }

    private BuiltText Build((string Key, string Value)[] keys, IProgress<BuildProgress>? progress = null) => new CorpusBuilder(
        Manifests.OfSources([("name", "in"), ("paths[]", _folder["in"]), .. keys]), new PieceStore(_folder["pieces"]), _folder["texts"])
        .Run(1, progress, CancellationToken.None);

    private sealed class Reports(Action<BuildProgress> report) : IProgress<BuildProgress>
    {
        public void Report(BuildProgress value) => report(value);
    }
}
