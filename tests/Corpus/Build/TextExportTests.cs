using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Elastic.Corpus.Build;
using Elastic.Corpus.Build.Exports;
using Elastic.Foundation;
using Parquet;
using ZstdSharp;

namespace Elastic.Corpus.Tests.Build;

public sealed class TextExportTests : IDisposable
{
    private static readonly ExportLimits Small = new(FileBytes: 4000, GroupBytes: 900, GroupRows: 5);

    private readonly BuiltFolders _folders = new();

    public void Dispose() => _folders.Dispose();

    // The lines are written by another way through the code, and the table is read by the library that others use.
    [Fact]
    public async Task Another_reader_finds_in_the_tables_what_stands_in_the_lines()
    {
        var text = _folders.Build(Manifest());
        var tables = await ExportAsync(text, "tables", ExportFormat.Parquet);
        var lines = await ExportAsync(text, "lines", ExportFormat.JsonLines);
        Assert.Equal(lines.Parts, tables.Parts);
        Assert.Equal(["train", "validation", "test", "dropped"], tables.Parts.Select(p => p.Name));
        Assert.Equal(text.Report.Read.Sum(s => s.Documents), tables.Parts.Sum(p => p.Documents));
        Assert.All(tables.Parts, part => Assert.True(part.Records > 0));
        var kinds = new HashSet<string>();
        foreach (var part in tables.Parts.Select(p => p.Name))
        {
            var expected = Lines(lines, part);
            var rows = await RowsAsync(tables, part);
            Assert.Equal(expected.Count, rows.Count);
            foreach (var (line, row) in expected.Zip(rows))
            {
                Assert.Equal(part == "dropped" ? 9 : 7, row.Count);
                Assert.All(row, cell => Assert.Equal(line[cell.Key]?.ToString(), cell.Value));
                Assert.All(line, cell => Assert.True(row.ContainsKey(cell.Key)));
                kinds.UnionWith(row.Where(c => c.Value is null).Select(c => $"{c.Key}: none"));
                kinds.UnionWith(row.Where(c => c.Value is not null).Select(c => $"{c.Key}: some"));
            }
        }
        string[] known = ["language", "licence", "url", "date"];
        Assert.Superset(known.SelectMany(c => new[] { $"{c}: none", $"{c}: some" }).ToHashSet(), kinds);
        var documents = text.Rows().ToDictionary(r => r.Id);
        foreach (var line in Lines(lines, "train").Concat(Lines(lines, "dropped")))
        {
            var document = documents[(long)line["id"]!];
            Assert.Equal((document.Url, document.Date, document.Licence, document.Dropped),
                ((string?)line["url"], (string?)line["date"], (string?)line["licence"], (string?)line["dropped"]));
        }
        Assert.Equal(text.Records(Split.Train).Select(r => r.Text), Lines(lines, "train").Select(l => (string)l["text"]!));
    }

    [Fact]
    public async Task The_bytes_follow_from_the_sources_and_every_file_is_in_the_report()
    {
        var one = await ExportAsync(_folders.Build(Manifest()), "one", ExportFormat.Parquet);
        var two = await ExportAsync(_folders.Build(Manifest(), "other"), "two", ExportFormat.Parquet);
        Assert.Equal(BuiltFolders.FilesOf(_folders["one"]), BuiltFolders.FilesOf(_folders["two"]));
        Assert.Equal(one.Files, two.Files);
        Assert.Equal(
            BuiltFolders.FilesOf(_folders["one"]).Where(f => f.Name != TextExport.FileName)
                .Select(f => (f.Name, f.Hash.ToLowerInvariant())),
            one.Files.Select(f => (f.Name, f.Sha256)).OrderBy(f => f.Name, StringComparer.Ordinal));
    }

    [Fact]
    public async Task Groups_and_files_are_bounded_and_no_row_is_lost_between_them()
    {
        var text = _folders.Build(Manifest());
        var report = await ExportAsync(text, "small", ExportFormat.Parquet, Small);
        var files = report.Files.Where(f => f.Name.StartsWith("train-", StringComparison.Ordinal)).ToList();
        Assert.True(files.Count > 1);
        foreach (var file in files)
        {
            await using var table = await ParquetReader.CreateAsync(Path.Combine(_folders["small"], file.Name));
            Assert.Equal(text.Report.Id, table.CustomMetadata["elastic.text"]);
            var bytes = 0L;
            for (var group = 0; group < table.RowGroupCount; group++)
            {
                var lengths = (await ColumnAsync(table, "text", group)).Select(t => t!.Length).ToList();
                Assert.InRange(lengths.Count, 1, Small.GroupRows);
                Assert.True(lengths.Count == 1 || lengths.Sum() <= Small.GroupBytes, $"{lengths.Sum()} in {lengths.Count} rows");
                bytes += lengths.Sum();
            }
            Assert.InRange(bytes, 1, Small.FileBytes);
        }
        Assert.Equal(
            text.Records(Split.Train).Select(r => (r.Id.ToString(CultureInfo.InvariantCulture), r.Text)),
            (await RowsAsync(report, "train", "small")).Select(r => (r["id"]!, r["text"]!)));
    }

    // Elastic's own reader, which shares nothing with the library that wrote them.
    [Fact]
    public async Task An_export_is_a_source_of_the_same_texts()
    {
        var text = _folders.Build(Manifest());
        await ExportAsync(text, "again", ExportFormat.Parquet, Small);
        var read = CorpusSources.Resolve([_folders["again"]]).Where(f => f.Name.Contains("train-", StringComparison.Ordinal))
            .SelectMany(f => DocumentReader.Read(f, new ReadStatistics()));
        Assert.Equal(text.Records(Split.Train).Select(r => (r.Source, r.Text)), read.Select(d => (d.Source, d.Text)));
    }

    [Fact]
    public async Task Texts_without_their_documents_are_refused()
    {
        var text = _folders.Build(Manifest());
        var list = Directory.GetFiles(Path.Combine(text.Folder, "documents")).Single();
        var lines = Encoding.UTF8.GetString(Unpacked(list)).Split('\n');
        using (var packed = new CompressionStream(File.Create(list), leaveOpen: false))
            packed.Write(Encoding.UTF8.GetBytes(
                string.Join('\n', lines.Where(l => !l.StartsWith("{\"id\":3,", StringComparison.Ordinal)))));
        var error = await Assert.ThrowsAsync<ElasticException>(() => ExportAsync(text, "broken", ExportFormat.JsonLines));
        Assert.Contains("has no document 3 behind those of the texts before it", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_folders["broken"], TextExport.FileName)));
    }

    private Task<ExportReport> ExportAsync(BuiltText text, string name, ExportFormat format, ExportLimits? limits = null)
    {
        Directory.CreateDirectory(_folders[name]);
        return TextExport.WriteAsync(text, _folders[name], format, true, limits ?? ExportLimits.Default, CancellationToken.None);
    }

    private List<JsonObject> Lines(ExportReport report, string part) =>
    [
        .. report.Files.Where(f => f.Name.StartsWith(part + "-", StringComparison.Ordinal)).SelectMany(f =>
            Encoding.UTF8.GetString(Unpacked(Path.Combine(_folders["lines"], f.Name)))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonNode.Parse(l)!.AsObject())),
    ];

    private static byte[] Unpacked(string path)
    {
        using var stream = new DecompressionStream(File.OpenRead(path), leaveOpen: false);
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    // A row's cells by column, numbers as texts.
    private async Task<List<Dictionary<string, string?>>> RowsAsync(ExportReport report, string part, string folder = "tables")
    {
        var rows = new List<Dictionary<string, string?>>();
        foreach (var file in report.Files.Where(f => f.Name.StartsWith(part + "-", StringComparison.Ordinal)))
        {
            await using var table = await ParquetReader.CreateAsync(Path.Combine(_folders[folder], file.Name));
            for (var group = 0; group < table.RowGroupCount; group++)
            {
                var columns = new List<(string Name, string?[] Cells)>();
                foreach (var field in table.Schema.GetDataFields())
                    columns.Add((field.Name, await ColumnAsync(table, field.Name, group)));
                rows.AddRange(Enumerable.Range(0, columns[0].Cells.Length).Select(i => columns.ToDictionary(c => c.Name, c => c.Cells[i])));
            }
        }
        return rows;
    }

    private static async Task<string?[]> ColumnAsync(ParquetReader table, string name, int number)
    {
        using var group = table.OpenRowGroupReader(number);
        var field = table.Schema.GetDataFields().Single(f => f.Name == name);
        if (name == "id")
        {
            var ids = new long?[group.RowCount];
            await group.ReadAsync<long>(field, ids.AsMemory());
            return [.. ids.Select(i => i!.Value.ToString(CultureInfo.InvariantCulture))];
        }
        var texts = new string?[group.RowCount];
        await group.ReadAsync(field, texts.AsMemory());
        return texts;
    }

    // Some texts are twice, some have an address and a date; letters of one to four bytes; a share for validation and for tests.
    private BuildManifest Manifest()
    {
        var notes = _folders.Records("notes.jsonl", Enumerable.Range(0, 60).Select(i => new
        {
            text = $"é 日本 😀 \"{i % 50}\" " + string.Join(' ', Enumerable.Range(i % 50 * 100, 30 + i % 50)),
            url = i % 3 == 0 ? $"https://example.com/{i}" : null,
        }));
        var book = _folders.Write("book.txt", string.Join("\n", Enumerable.Range(0, 40).Select(i => $"line {i} of a book")));
        const string page = "A page that a crawler has converted.";
        var crawl = _folders.Write("crawl.warc", "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: https://example.com/page\r\n"
            + $"WARC-Date: 2026-11-27T01:02:03Z\r\nContent-Type: text/plain\r\nContent-Length: {page.Length}\r\n\r\n{page}\r\n\r\n");
        var manifest = Manifests.Of([("notes", notes), ("book", book), ("crawl", crawl)], "exact-duplicates", "near-duplicates words=2");
        return manifest with
        {
            Sources =
            [
                manifest.Sources[0] with { Licence = "CC0-1.0", Validation = 0.2, Test = 0.2 },
                manifest.Sources[1] with { Language = "en" },
                manifest.Sources[2],
            ],
        };
    }
}
