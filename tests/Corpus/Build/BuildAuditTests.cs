using System.Security.Cryptography;
using System.Text;
using Elastic.Corpus.Build;

namespace Elastic.Corpus.Tests.Build;

public sealed class BuildAuditTests : IDisposable
{
    private readonly BuiltFolders _folders = new();

    public void Dispose() => _folders.Dispose();

    [Fact]
    public void A_build_is_proven_and_counts_each_document_once()
    {
        var text = Build();
        var report = BuildAudit.Check(text, CancellationToken.None);
        Assert.Equal((5, 3, 2, 1), (report.Documents, report.Kept, report.Dropped, report.TakenDown));
        Assert.Empty(report.Problems);
    }

    [Fact]
    public void A_changed_a_missing_and_a_strange_file_are_named()
    {
        var text = Build();
        File.AppendAllText(Path.Combine(text.Folder, "datasheet.md"), "more");
        File.Delete(Path.Combine(text.Folder, "datasheet.html"));
        File.WriteAllText(Path.Combine(text.Folder, "text", "more.txt"), "more");
        var problems = BuildAudit.Check(text, CancellationToken.None).Problems;
        Assert.Equal(3, problems.Count);
        Assert.Contains("datasheet.md is not what the build wrote", problems[0], StringComparison.Ordinal);
        Assert.Contains("datasheet.html is missing", problems[1], StringComparison.Ordinal);
        Assert.Contains("more.txt is no file of the build", problems[2], StringComparison.Ordinal);
    }

    // Somebody who changes a file and its digest in build.json, too.
    [Theory]
    [InlineData("text/kept-00000-00000.jsonl.zst", 0, 2, "text has document 0 2 times, and 1 times are due")]
    [InlineData("text/kept-00000-00000.jsonl.zst", 1, 0, "text has document 2 0 times, and 1 times are due")]
    [InlineData("dropped/dropped-00000.jsonl.zst", 0, 0, "dropped has document 1 0 times, and 1 times are due")]
    [InlineData("documents/documents-00000.jsonl.zst", 1, 2, "document 1 is decided about where document 2 is due")]
    [InlineData("documents/documents-00000.jsonl.zst", 4, 0, "build.json counts 5 documents, and there are 4")]
    public void A_document_that_is_decided_about_twice_or_not_at_all_is_named(string file, int line, int times, string problem)
    {
        var text = Build();
        var path = Path.Combine(text.Folder, file);
        using var unpacking = new ZstdSharp.DecompressionStream(new MemoryStream(File.ReadAllBytes(path)));
        using var reader = new StreamReader(unpacking);
        var lines = reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .SelectMany((l, i) => Enumerable.Repeat(l + "\n", i == line ? times : 1));
        using var packing = new ZstdSharp.Compressor();
        File.WriteAllBytes(path, packing.Wrap(Encoding.UTF8.GetBytes(string.Concat(lines))).ToArray());
        var digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));
        var changed = text with
        {
            Report = text.Report with { Files = [.. text.Report.Files.Select(f => f.Name == file ? f with { Sha256 = digest } : f)] },
        };
        Assert.Contains(problem, BuildAudit.Check(changed, CancellationToken.None).Problems);
    }

    private BuiltText Build()
    {
        var path = _folders.Texts("all.jsonl", ["one text", "One  text", "another text", "a third one", "a fourth one"]);
        return _folders.Build(Manifests.Of([("all", path)], "exact-duplicates") with
        {
            TakeDowns = TakeDowns.Of(
                Messages.Settings.SettingsRecord.DefaultsOf<TakeDownSettings>() with { Documents = ["all/all.jsonl:5"] }),
        });
    }
}
