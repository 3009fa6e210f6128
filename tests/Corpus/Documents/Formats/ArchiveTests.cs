using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Formats;

/// <summary>Files in files: tar, zip, and what compresses them.</summary>
public sealed class ArchiveTests : IDisposable
{
    // "packed\n" by bzip2 twice, joined; "packed\n" by xz.
    private const string Bzip2 =
        "QlpoOTFBWSZTWVvaCagAAANBgAAQLghAACAAMQwBBk2jHAKLuSKcKEgt7QTUAEJaaDkxQVkmU1lb2gmoAAADQYAAEC4IQAAgADEM"
        + "AQZNoxwCi7kinChILe0E1AA=";
    private const string Xz =
        "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAGcGFja2VkCgAAaNCq3DmCKkIAAR8HFi64cx+2830BAAAAAARZWg==";

    // Two archives by Python, joined: "one" and 700 times "x", then "three" and "four".
    private const string Joined =
        "H4sIAAAAAAACA+3aOw6CQBQF0FmKKzD8hPWgYqwkQUhYvqM2RmoBwznNe5lmqvuqW+/7sQ+/lURlUbxm9D2j/GN/vpdVWoVdEmYw3Pu6i1+GbWpvTWC7jsvnP82q"
        + "YpL/PJf/OYzwp1xvAAAAAAAAAHg7raL/d5j0fzL9n1n0167RANyu8yryX8j/Qi7t0EkBAAAAAAAAAMD/egBcu1ziAFAAAA==";

    private static readonly (string Name, string Text)[] Files =
    [
        ("b/page.html", "<p>a page"), ("LICENSE", "Apache License\n  Version 2.0, January 2004"), ("a.txt", "plain"),
        ("c.jsonl", """{"text":"a line"}"""),
        ("src/x.py", "print(1)"), ("src/y.c", "// SPDX-License-Identifier: MIT OR Apache-2.0\nint y;"), ("src/sub/COPYING", "All mine."),
        ("src/sub/z.rs", "fn z() {}"), ("picture.png", "PNG"), (".hidden/d.txt", "hidden"),
    ];

    private readonly TemporaryFolder _folder = new();
    private readonly ReadStatistics _statistics = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a.zip")]
    [InlineData("a.tar")]
    [InlineData("a.tar.gz")]
    [InlineData("a.tgz")]
    public void The_files_of_an_archive_are_read_by_their_names_and_licences_come_from_the_nearest_file_above(string name)
    {
        var documents = Read(name, Archive(name, Files));
        Assert.Equal(
            ["a page", "plain", "a line", "print(1)", "// SPDX-License-Identifier: MIT OR Apache-2.0\nint y;", "fn z() {}"],
            documents.Select(d => d.Text.Trim()));
        Assert.Equal([$"{name}:b/page.html", $"{name}:a.txt", $"{name}:c.jsonl:1"], documents.Take(3).Select(d => d.Name));
        Assert.Equal(
            [
                (DocumentFormat.Html, null, null), (DocumentFormat.Text, null, null), (DocumentFormat.JsonLines, null, null),
                (DocumentFormat.SourceCode, "Python", "Apache-2.0"), (DocumentFormat.SourceCode, "C", "MIT OR Apache-2.0"),
                (DocumentFormat.SourceCode, "Rust", "LicenseRef-unknown"),
            ],
            documents.Select(d => (d.Format, d.Code, d.Licence)));
        Assert.All(documents, d => Assert.Equal(name, d.Source));
        Assert.Equal(
            ["LICENSE has no format that is read", "src/sub/COPYING has no format that is read", "picture.png has no format that is read"],
            _statistics.Unread.Select(u => u.Reason));
    }

    [Fact]
    public void Patterns_hold_for_members_too()
    {
        var path = _folder.Write("a.zip", Archive("a.zip", Files));
        var file = CorpusSources.Find(CorpusSettings.Defaults with { Sources = [path], Exclude = ["src"] }).Files[0];
        Assert.Equal(3, DocumentReader.Read(file, _statistics).Count());
        file = file with { Reading = file.Reading with { Exclude = ["src/*.c"], Members = ["src/*"] } };
        Assert.Equal(["src/x.py", "src/sub/z.rs"], DocumentReader.Read(file, _statistics).Select(d => d.Name["a.zip:".Length..]));
    }

    [Fact]
    public void Archives_nest_so_deep_and_no_deeper()
    {
        var inner = Archive("a.zip", [("a.txt", "deep")]);
        for (var i = 0; i < 4; i++)
            inner = Zip([("a.zip", inner)]);
        Assert.Equal("deep", Assert.Single(Read("in.zip", inner)).Text);
        Assert.Empty(Read("out.zip", Zip([("a.zip", inner)])));
        Assert.Contains("nested more than 4 archives deep", Assert.Single(_statistics.Malformed).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bomb_in_an_archive_in_an_archive_is_named_and_what_came_before_it_is_kept()
    {
        // 70 MB of zeros become 70 KB, which become less than 1 KB.
        var zip = Zip([("a.txt", "good"u8.ToArray()), ("in.zip", Zip([("zeros.txt", new byte[70 << 20])]))]);
        Refusal.Says("bomb.zip:in.zip becomes more than 67108864 bytes", () => Read("bomb.zip", zip));
        var file = CorpusSources.Resolve([_folder["bomb.zip"]]).Single();
        file = file with { Reading = file.Reading with { PassesOverRejects = true } };
        Assert.Equal("good", Assert.Single(DocumentReader.Read(file, _statistics)).Text);
        Assert.Contains("zeros.txt is left out: ", Assert.Single(_statistics.Malformed).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_member_costs_itself_and_a_damaged_table_the_file()
    {
        var zip = Zip([("a.txt", "the first text"u8.ToArray()), ("b.txt", "the second text"u8.ToArray())], CompressionLevel.NoCompression);
        zip[zip.AsSpan().IndexOf("first"u8)] ^= 1;
        Assert.Equal(["the second text"], Read("a.zip", zip).Select(d => d.Text));
        Assert.Equal("a.txt is left out: its checksum is wrong: it is damaged", Assert.Single(_statistics.Malformed).Reason);
        Refusal.Says("is not a zip file, or its table is damaged", () => Read("b.zip", zip[..^10]));
    }

    [Fact]
    public void A_tar_that_is_cut_short_keeps_what_is_whole_and_names_its_links_and_doubles()
    {
        using var memory = new MemoryStream();
        using (var tar = new TarWriter(memory, leaveOpen: true))
        {
            foreach (var text in new[] { "one", "two", new string('x', 5000) })
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "same.txt")
                {
                    DataStream = new MemoryStream(Encoding.ASCII.GetBytes(text)),
                });
            tar.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, "link.txt") { LinkName = "/etc/passwd" });
        }
        var bytes = memory.ToArray();
        Assert.Equal(3, Read("a.tar", bytes).Count);
        Assert.Equal(
            ["same.txt is there more than once; each is read", "same.txt is there more than once; each is read", "link.txt is a link"],
            _statistics.Unread.Select(u => u.Reason));
        Refusal.Says("b.tar is cut short or damaged, and how much of it is lost is not known", () => Read("b.tar", bytes[..^8000]));
        Assert.Equal(["one", "two"], ReadOn("b.tar", _statistics).Select(d => d.Text));
        Assert.Equal("b.tar", _statistics.Malformed[^1].File);
    }

    // Go's writer leaves the two blocks of zeros out where nobody closes it, and what fills the last block of the last member.
    [Theory]
    [InlineData("a.tar")]
    [InlineData("a.tar.gz")]
    public void A_tar_may_end_without_the_blocks_that_end_it_and_nowhere_else(string name)
    {
        var whole = Archive("whole.tar", [("a.txt", "one"), ("b.txt", new string('x', 700))]);
        var end = whole.Length - 1024;
        Assert.Equal(2, Read(name, Packed(whole)).Count);
        Assert.Equal(2, Read(name, Packed(whole[..end])).Count);
        Assert.Equal(2, Read(name, Packed(whole[..(end - (1024 - 700))])).Count);
        Assert.Empty(_statistics.Malformed);
        // In the data of the last member, where a block of it ends too, in what fills its last block, and in its header.
        foreach (var cut in new[] { end - 600, end - 512, end - 100, end - 1024 - 100 })
            Refusal.Says("is cut short or damaged, and how much of it is lost is not known", () => Read(name, Packed(whole[..cut])));

        byte[] Packed(byte[] tar)
        {
            using var memory = new MemoryStream();
            using (Stream packed = name.EndsWith("gz", StringComparison.Ordinal)
                ? new GZipStream(memory, CompressionLevel.Fastest, leaveOpen: true) : new BufferedStream(memory))
                packed.Write(tar);
            return memory.ToArray();
        }
    }

    // What follows the end changes what is read only where the id of the corpus says so, too: nobody sees it in a packed file or a member.
    [Fact]
    public void Joined_archives_are_read_to_the_last_one_or_named()
    {
        const string line = "tar 2: archives behind the first one are read";
        using var unpacked = new MemoryStream();
        using (var packed = new GZipStream(new MemoryStream(Convert.FromBase64String(Joined)), CompressionMode.Decompress))
            packed.CopyTo(unpacked);
        var (joined, first) = (unpacked.ToArray(), unpacked.ToArray()[..(20 * 512)]);

        Assert.Equal(["one", new string('x', 700), "three", "four"], Read("a.tar", joined).Select(d => d.Text));
        Assert.Equal(["a.tar:c.txt", "a.tar:d.txt"], ReadOn("a.tar", _statistics).Skip(2).Select(d => d.Name));
        Assert.Contains(line, ReadingOf("a.tar"));
        Assert.Equal(2, Read("zeros.tar", [.. first, .. new byte[700]]).Count);
        Assert.Empty(_statistics.Malformed);
        Assert.DoesNotContain(line, ReadingOf("zeros.tar"));
        foreach (var (name, bytes) in new[]
        {
            ("a.tar.gz", TestBytes.Gzip(joined)), ("b.tar.gz", [.. TestBytes.Gzip(first), .. TestBytes.Gzip(joined[first.Length..])]),
        })
        {
            Assert.Equal(2, Read(name, bytes).Count);
            Assert.DoesNotContain(line, ReadingOf(name));
        }
        Assert.Equal(2, Read("a.zip", Zip([("a.tar", joined)])).Count);
        Assert.Equal(3, _statistics.MalformedRecords);
        Assert.All(_statistics.Malformed, m => Assert.StartsWith(
            "what follows the end of the archive is lost: ", m.Reason, StringComparison.Ordinal));
        foreach (var length in new[] { 4, 600 })
        {
            var statistics = new ReadStatistics();
            _folder.Write("rest.tar", [.. first, .. Enumerable.Repeat((byte)'r', length)]);
            Assert.Equal(2, ReadOn("rest.tar", statistics).Count);
            Assert.Equal((1, length), (statistics.MalformedRecords, statistics.LostBytes));
            Assert.DoesNotContain(line, ReadingOf("rest.tar"));
        }
        // The library takes a header without its checksum for the end.
        first.AsSpan(1024 + 148, 8).Clear();
        Assert.Single(Read("b.tar", first));
        Assert.Contains("a header has no checksum", _statistics.Malformed[^1].Reason, StringComparison.Ordinal);
        Assert.DoesNotContain(line, ReadingOf("b.tar"));

        IReadOnlyList<string> ReadingOf(string name) => CorpusIdentity.OfFile(CorpusSources.Resolve([_folder[name]]).Single()).Reading;
    }

    [Fact]
    public void Links_of_a_tar_are_followed_in_the_archive_and_no_more_of_them_are_kept_than_memory_has_room_for()
    {
        var file = CorpusSources.Resolve([_folder.Write("a.tar", [])]).Single();
        var names = new TarNames(file, _statistics, most: 200);
        names.AddLink(new PaxTarEntry(TarEntryType.SymbolicLink, "before.txt") { LinkName = "sub/../first.txt" });
        names.Add("./a.txt");
        names.AddEmpty("./");                                          // as of tar -C FOLDER .
        names.AddEmpty("empty/");
        foreach (var (name, target) in new[]
        {
            ("first.txt", "a.txt"), ("sub/b.txt", "../a.txt"), ("c", "./empty"), ("d.txt", "/a.txt"), ("f.txt", ".h/a.txt"),
            ("g.txt", "../../a.txt"),
        })
            names.AddLink(new PaxTarEntry(TarEntryType.SymbolicLink, $"./{name}") { LinkName = target });
        names.AddLink(new PaxTarEntry(TarEntryType.HardLink, "e.txt") { LinkName = "./a.txt" });
        for (var i = 0; i < 300; i++)
            names.AddLink(new PaxTarEntry(TarEntryType.SymbolicLink, $"{i}") { LinkName = "a.txt" });
        names.CountLinks();
        // Of 308 links 108 are too many to be followed, two lead out of the archive, and one to what is hidden.
        Assert.Equal((308, 197), (_statistics.UnreadRecords, _statistics.NamedRecords));
        Assert.Equal("a.tar ./d.txt is a link; a.tar ./f.txt is a link; a.tar ./g.txt is a link", _statistics.UnreadReasons());
    }

    [Theory]
    [InlineData("a.txt.bz2", Bzip2, "packed\npacked\n")]
    [InlineData("a.txt.xz", Xz, "packed\n")]
    public void Other_packings_are_read_and_found_out_where_they_are_damaged(string name, string base64, string text)
    {
        var bytes = Convert.FromBase64String(base64);
        Assert.Equal(text, Assert.Single(Read(name, bytes)).Text);
        Assert.Empty(_statistics.Malformed);
        bytes[bytes.Length / 3] ^= 4;
        _folder.Write($"damaged-{name}", bytes);
        ReadOn($"damaged-{name}", _statistics);
        Assert.Contains("the compressed data ends or breaks here", Assert.Single(_statistics.Malformed).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_book_is_read_in_the_order_of_its_spine_with_its_language()
    {
        var documents = Read("book.epub", Zip([
            ("mimetype", "application/epub+zip"u8.ToArray()),
            ("META-INF/container.xml", "<container><rootfiles><rootfile full-path='O/b.opf'/></rootfiles></container>"u8.ToArray()),
            ("O/b.opf", """
                <package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:language>fr-CA</dc:language>
                <dc:rights>Public domain</dc:rights></metadata>
                <manifest><item id="two" href="p/2%20b.xhtml" media-type="application/xhtml+xml"/>
                <item id="n" href="n.png" media-type="image/png"/>
                <item id="one" href="../one.xhtml" media-type="application/xhtml+xml"/>
                <item id="gone" href="gone.xhtml" media-type="application/xhtml+xml"/></manifest>
                <spine><itemref idref="one"/><itemref idref="n"/><itemref idref="gone"/><itemref idref="two"/></spine></package>
                """u8.ToArray()),
            ("O/p/2 b.xhtml", "<html><head><title/></head><body><p>La fin, déjà.</p></body></html>"u8.ToArray()),
            ("one.xhtml", """
                <?xml version='1.0'?><html><head><title>I</title><script src='x'/></head><body><p>Début.</p></body></html>
                """u8.ToArray()),
        ]));
        Assert.Equal(["I\nDébut.", "La fin, déjà."], documents.Select(d => d.Text.Trim()));
        Assert.All(documents, d => Assert.Equal(("fr", "Public domain", DocumentFormat.Epub), (d.Language, d.Licence, d.Format)));
        Assert.Equal(["book.epub:1", "book.epub:3"], documents.Select(d => d.Name));
        Assert.Equal("the page O/gone.xhtml is left out: it is missing", Assert.Single(_statistics.Malformed).Reason);
        Refusal.Says("is no book that can be read (META-INF/container.xml is missing)", () => Read("no.epub", Zip([("a", [1])])));
    }

    [Fact]
    public void Members_that_are_lost_count_in_bytes()
    {
        var zip = Zip([.. Enumerable.Range(0, 20).Select(i => ($"{i:00}.txt", Encoding.ASCII.GetBytes($"the text of number {i:00}")))],
            CompressionLevel.NoCompression);
        for (var i = 0; i < 18; i++)
            zip[zip.AsSpan().IndexOf(Encoding.ASCII.GetBytes($"number {i:00}"))] ^= 1;
        Assert.Equal(2, Read("a.zip", zip).Count);
        Assert.Equal((18, 18 * 21), (_statistics.MalformedRecords, _statistics.LostBytes));
    }

    // As a build reads it, which goes on where something is lost.
    private List<Document> ReadOn(string name, ReadStatistics statistics)
    {
        var file = CorpusSources.Resolve([_folder[name]]).Single();
        return [.. DocumentReader.Read(file with { Reading = file.Reading with { PassesOverRejects = true } }, statistics)];
    }

    private List<Document> Read(string name, byte[] bytes)
    {
        var path = _folder.Write(name, bytes);
        return [.. DocumentReader.Read(CorpusSources.Resolve([path]).Single(), _statistics)];
    }

    private static byte[] Archive(string name, (string Name, string Text)[] files)
    {
        var bytes = files.Select(f => (f.Name, Encoding.UTF8.GetBytes(f.Text))).ToArray();
        if (name.EndsWith(".zip", StringComparison.Ordinal))
            return Zip(bytes);
        using var memory = new MemoryStream();
        var isPacked = name.EndsWith("gz", StringComparison.Ordinal);
        using (var packed = isPacked ? new GZipStream(memory, CompressionLevel.Fastest, leaveOpen: true) : null)
        using (var tar = new TarWriter((Stream?)packed ?? memory, leaveOpen: true))
            foreach (var (path, content) in bytes)
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"./{path}") { DataStream = new MemoryStream(content) });
        return memory.ToArray();
    }

    private static byte[] Zip((string Name, byte[] Bytes)[] files, CompressionLevel level = CompressionLevel.SmallestSize)
    {
        using var memory = new MemoryStream();
        using (var zip = new ZipArchive(memory, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var (name, bytes) in files)
            {
                using var entry = zip.CreateEntry(name, level).Open();
                entry.Write(bytes);
            }
        return memory.ToArray();
    }
}
