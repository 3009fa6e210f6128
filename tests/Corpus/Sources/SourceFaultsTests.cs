using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

/// <summary>What folders hold besides text, and files that change while they are read.</summary>
public sealed class SourceFaultsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_not_read_is_said_in_one_line_with_counts_by_ending()
    {
        foreach (var name in new[] { "a.txt", "x.cs", "y.cs", "sub/z.CS", "man.1", "t.csv", "Makefile", "firmware.bin" })
            _folder.Write(name, "x");
        Directory.CreateSymbolicLink(_folder["linked"], _folder["sub"]);
        var found = Find();
        Assert.Equal(["a.txt"], found.Files.Select(f => f.Name));
        Assert.Equal("not read: 3 .cs, 1 .1, 1 .bin, 1 .csv, 1 without an ending, " +
            "1 linked folder (name what one leads to as a source of its own)", found.PassedOver.ToString());
    }

    [Fact]
    public void A_disk_that_fails_in_the_middle_of_a_file_is_an_error_that_names_the_file()
    {
        var file = new SourceFile("/data/disk.txt", "disk.txt", DocumentFormat.Text);
        using var guarded = file.Guarded(new FailingStream(Encoding.UTF8.GetBytes(new string('x', 1000))));
        using var reader = CountingUtf8.Open(guarded, file, new ReadStatistics());
        Refusal.Says(
            "corpus file /data/disk.txt cannot be read (Input/output error): mend that, or leave it out", () => reader.ReadToEnd());
    }

    [Fact]
    public void What_a_disk_did_not_read_is_no_damage_of_compressed_text()
    {
        var file = new SourceFile("/data/disk.jsonl.gz", "disk.jsonl.gz", DocumentFormat.JsonLines) { Packing = Packing.Gzip };
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.NoCompression, leaveOpen: true))
            gzip.Write(new byte[100_000]);
        using var unpacked = new GzipFile(file.Guarded(new FailingStream(packed.ToArray().AsSpan(0, 50_000).ToArray())));
        Refusal.Says(
            "corpus file /data/disk.jsonl.gz cannot be read",
            () => unpacked.ReadAtLeast(new byte[200_000], 200_000, throwOnEndOfStream: false));
    }

    [Fact]
    public void Many_endings_are_summed_up()
    {
        _folder.Write("a.txt", "x");
        for (var i = 0; i < 12; i++)
            _folder.Write($"f.e{i:00}", "x");
        Assert.EndsWith("1 .e07, 4 of other endings", Find().PassedOver.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_corpus_of_text_alone_says_nothing()
    {
        _folder.Write("a.txt", "x");
        Assert.Equal("", Find().PassedOver.ToString());
    }

    [Fact]
    public void A_named_file_that_is_no_shard_is_not_passed_over()
    {
        _folder.Write("a.txt", "x");
        _folder.Write("other/firmware.bin", "x");
        Refusal.Says("mixes token shards", () => CorpusSources.Resolve([_folder["a.txt"], _folder["other/firmware.bin"]]));
    }

    [Theory]
    [InlineData("*.md", "drafts", "a.md")]
    [InlineData("", "drafts/*", "a.md a.txt sub/d.md sub/drafts/c.md")]
    [InlineData("", "drafts/", "a.md a.txt sub/d.md")]
    [InlineData("", "a.*", "drafts/b.md sub/d.md sub/drafts/c.md")]
    [InlineData("sub/*", "", "sub/d.md sub/drafts/c.md")]
    [InlineData("?.txt", "", "a.txt")]
    public void Patterns_say_what_to_read_and_what_to_leave_out(string include, string exclude, string names)
    {
        foreach (var name in new[] { "a.txt", "a.md", "drafts/b.md", "sub/drafts/c.md", "sub/d.md" })
            _folder.Write(name, "x");
        if (include == "*.md")
            Directory.Delete(_folder["sub"], recursive: true);
        var files = Find(include, exclude).Files.Select(f => f.Name);
        Assert.Equal(names, string.Join(' ', files));
    }

    [Theory]
    [InlineData("", "a.txt")]
    [InlineData("sub/*", "sub/d.md")]
    [InlineData("*.csv", "sub/c.csv")]
    [InlineData("*.gz", "b.txt.gz")]
    public void A_folder_gives_the_formats_that_it_always_gave_unless_a_pattern_names_another_one(string include, string name)
    {
        foreach (var file in new[] { "a.txt", "b.txt.gz", "sub/c.csv", "sub/d.md", "e.py", "f.zip" })
            _folder.Write(file, "x");
        if (include.Length == 0)
            Directory.Delete(_folder["sub"], recursive: true);
        Assert.Equal([name], Find(include).Files.Select(f => f.Name));
    }

    [Fact]
    public void A_file_that_cannot_be_read_is_named_and_can_be_left_out()
    {
        _folder.Write("a.txt", "x");
        File.CreateSymbolicLink(_folder["broken.txt"], _folder["nowhere"]);
        Refusal.Says("leave it out (corpus.exclude = [\"broken.txt\"])", () => Find());
        Assert.Equal(["a.txt"], Find(exclude: "broken.txt").Files.Select(f => f.Name));
        Refusal.Says("that corpus.include and corpus.exclude leave", () => Find(exclude: "*"));
    }

    [Fact]
    public void A_folder_that_may_not_be_read_can_be_left_out()
    {
        if (OperatingSystem.IsWindows())
            return;
        _folder.Write("open.txt", "x");
        _folder.Write("closed/b.txt", "x");
        File.SetUnixFileMode(_folder["closed"], UnixFileMode.None);
        Assert.Equal(["open.txt"], Find(exclude: "closed").Files.Select(f => f.Name));
        File.SetUnixFileMode(_folder["closed"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Fact]
    public void A_file_that_changes_after_the_corpus_was_named_is_refused()
    {
        var path = _folder.Write("a.txt", "one line\n");
        var (_, files) = CorpusIdentity.Identify(CorpusSources.Resolve([path]), CorpusSettings.Defaults);
        Assert.Single(DocumentReader.Read(files[0], new ReadStatistics()));
        File.AppendAllText(path, "and another\n");
        Refusal.Says($"corpus file {path} changed while it was read", () => DocumentReader.Read(files[0], new ReadStatistics()).ToList());
    }

    [Fact]
    public void A_shard_that_changes_after_the_corpus_was_named_is_refused()
    {
        var path = _folder.Write("in/a.bin", Corpora.LlmcBytes([1, 2]));
        var (id, files) = CorpusIdentity.Identify(CorpusSources.Resolve([path]), CorpusSettings.Defaults);
        _folder.Write("in/a.bin", Corpora.LlmcBytes([1, 3]));
        Refusal.Says("changed while it was read",
            () => LlmcCorpus.Build(_folder["out"], id, Tokenizer.Open("gpt2"), files, CancellationToken.None));
    }

    [Theory]
    [InlineData("a.txt", "ordinary text", true)]
    [InlineData("a.txt", "LONG", false)]
    [InlineData("a.xml", "<l>a &amp; &#160; b</l>", true)]
    [InlineData("a.xml", "<l><![CDATA[a & b]]></l>", true)]
    [InlineData("a.xml", "<l>LONG</l>", false)]
    [InlineData("a.xml", "<doc><members><member name='T:A'><summary>LONG</summary></member></members></doc>", true)]
    [InlineData("a.xml", "<l>a &nbsp; b</l>", false)]
    [InlineData("a.html", "<p>a &nbsp; b</p>", true)]
    [InlineData("train_0.bin", "x", true)]
    [InlineData("interval_0.bin", "x", false)]
    [InlineData("val_0.bin", "x", true)]
    public void A_corpus_keeps_the_id_of_the_first_versions_where_it_is_read_as_they_did(string name, string content, bool isKept)
    {
        content = content.Replace("LONG", new string('a', 70_000), StringComparison.Ordinal);
        var id = CorpusIdentity.Identify(CorpusSources.Resolve([_folder.Write(name, content)]), CorpusSettings.Defaults).Id;
        Assert.Equal(isKept, id == FirstId(name, content));
    }

    [Fact]
    public void The_field_and_the_encoding_are_part_of_an_id_where_they_count()
    {
        _folder.Write("a.jsonl", "{}");
        _folder.Write("b.txt", "x");
        _folder.Write("c.html", "x");
        Assert.NotEqual(Id("a.jsonl"), Id("a.jsonl", s => s with { TextField = "body" }));
        Assert.NotEqual(Id("a.jsonl"), Id("a.jsonl", s => s with { Encoding = "latin-1" }));
        Assert.NotEqual(Id("b.txt"), Id("b.txt", s => s with { Encoding = "latin-1" }));
        Assert.Equal(Id("b.txt"), Id("b.txt", s => s with { TextField = "body" }));
        Assert.Equal(Id("c.html"), Id("c.html", s => s with { TextField = "body", Encoding = "latin-1" }));
    }

    private Digest Id(string name, Func<CorpusSettings, CorpusSettings>? change = null)
    {
        var settings = (change ?? (s => s))(Corpora.Settings(_folder[name]));
        return CorpusIdentity.Identify(CorpusSources.Find(settings).Files, settings).Id;
    }

    // The id of one file by default settings, as versions before corpus.encoding made it.
    private static Digest FirstId(string name, string content)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write(2L);
        foreach (var text in new[] { "byte", null, name })
            if (text is null)
            {
                writer.Write(0.01);
            }
            else
            {
                writer.Write((long)text.Length);
                writer.Write(Encoding.UTF8.GetBytes(text));
            }
        writer.Write(SHA256.HashData(Encoding.UTF8.GetBytes(content)));
        return Digest.Of(bytes.ToArray());
    }

    private SourceSet Find(string include = "", string exclude = "") => CorpusSources.Find(Corpora.Settings(_folder.Path) with
    {
        Include = include.Length > 0 ? [include] : [],
        Exclude = exclude.Length > 0 ? [exclude] : [],
    });

    // Gives these bytes, and fails where the rest would follow.
    private sealed class FailingStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) =>
            base.Read(buffer) is var read and > 0 ? read : throw new EndOfStreamException("Input/output error");
    }
}
