using System.Text.Json;
using Elastic.Corpus.Build;
using Elastic.Host.Configuration;

namespace Elastic.Host.Tests.Commands;

/// <summary>A built text goes to an S3-compatible store, in this process.</summary>
public sealed class StoreTextSpecs : StoreSpecs
{
    [Fact]
    public async Task An_export_that_was_broken_off_goes_on_with_what_the_store_lacks()
    {
        var manifest = Path.Combine(Folder, "web.conf");
        File.WriteAllText(Path.Combine(Folder, "notes.jsonl"), string.Concat(
            Enumerable.Range(0, 9).Select(i => JsonSerializer.Serialize(new { text = $"Words of text {i / 2}." }) + "\n")));
        File.WriteAllText(manifest, "sources = [ { name = notes, paths = [notes.jsonl] } ]\nstages = [ { stage = exact-duplicates } ]");
        var data = new DataDirectory(Path.Combine(Folder, "data"));
        new CorpusBuilder(BuildManifestFile.Read(manifest), new PieceStore(data.Pieces), data.Texts).Run(1, null, CancellationToken.None);
        string[] export = ["corpus", "export", "--dropped", "--out", Store["kept/text"], "--data-dir", data.Root];
        Store.Before = asked =>
        {
            if (asked.StartsWith("PUT kept/text/export.json", StringComparison.Ordinal))
                Store.Failures.Enqueue(403);
        };
        Assert.Equal(ExitCodes.Failed, await Elastic(export));
        Assert.Contains("s3://kept/text/export.json cannot be stored", Said, StringComparison.Ordinal);
        Assert.False(Store.Objects.ContainsKey("kept/text/export.json"));

        Store.Before = null;
        var had = Store.Objects.Count;
        Assert.True(ExitCodes.Done == await Elastic(export), Said);
        Assert.Contains($"s3://kept/text had {had} of the files already", Said, StringComparison.Ordinal);
        Assert.Equal("PUT kept/text/export.json", Store.Asked.Last(a => a.StartsWith("PUT", StringComparison.Ordinal)));
        Assert.Equal(
            ["kept/text/datasheet.md", "kept/text/dropped-00000.parquet", "kept/text/export.json", "kept/text/train-00000.parquet"],
            Store.Objects.Keys.Order(StringComparer.Ordinal));
    }
}
