using System.Formats.Tar;
using System.IO.Compression;
using System.Text;

namespace Elastic.Corpus.Tests.Formats;

/// <summary>A small file of each kind that holds others, to be damaged.</summary>
internal static class SmallArchives
{
    // Three lines of text.
    private const string Bzip2 =
        "QlpoOTFBWSZTWWOCx7AAACLRgAAQQAAvZ5xAIABAlT0TSB6T9UFDTTAA9JaiCFwIhZV+o7QtifQzyAZV5KxtMk5HEixfxUjEM/F3"
        + "JFOFCQY4LHsA";
    private const string Xz =
        "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4ABKADhdADoaCM52ZJW4rJNeqgZsjklmbu//x+rjyKjHSTzYQjnbCc9/f7O0WrJbeJbc"
        + "UYyhHvremgQV7bOAAKh9FHBsxvRtAAFUS2O1Xx8ftvN9AQAAAAAEWVo=";

    private static readonly (string Name, string Text)[] Files =
    [
        ("a.txt", "some text\n"), ("b/c.jsonl", "{\"text\": \"a line\"}\n"), ("LICENSE", "MIT"), ("x.py", "print(1)\n"),
        ("META-INF/container.xml", "<c><rootfile full-path='b.opf'/></c>"),
        ("b.opf", "<p><item id='i' href='i.xhtml' media-type='text/html'/><itemref idref='i'/></p>"), ("i.xhtml", "<p>page"),
    ];

    /// <summary>The file of that name; null where it is none of these.</summary>
    public static byte[]? TryGet(string name) => name switch
    {
        "a.zip" or "a.epub" => Zip(),
        "a.tar" => Tar(),
        "a.warc" => Warc(),
        "a.txt.bz2" => Convert.FromBase64String(Bzip2),
        "a.txt.xz" => Convert.FromBase64String(Xz),
        _ => null,
    };

    private static byte[] Zip()
    {
        using var memory = new MemoryStream();
        using (var zip = new ZipArchive(memory, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var (name, text) in Files)
            {
                using var entry = zip.CreateEntry(name).Open();
                entry.Write(Encoding.UTF8.GetBytes(text));
            }
        return memory.ToArray();
    }

    private static byte[] Tar()
    {
        using var memory = new MemoryStream();
        using (var tar = new TarWriter(memory, leaveOpen: true))
            foreach (var (name, text) in Files)
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name)
                {
                    DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)),
                });
        return memory.ToArray();
    }

    private static byte[] Warc() => Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 8).Select(i =>
    {
        var block = $"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<p>{i}\r\n0\r\n\r\n";
        return $"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/{i}\r\nContent-Type: application/http\r\n"
            + $"Content-Length: {block.Length}\r\n\r\n{block}\r\n\r\n";
    })));
}
