using System.Text.Json;
using Elastic.Corpus.Build;

namespace Elastic.Corpus.Tests.Build;

/// <summary>
/// Each stage with its rules for English, behind the stage language: it drops or changes an English document, and leaves a German one alone
/// that has the same fault.
/// </summary>
public sealed class ScopedStagesTests : IDisposable
{
    private const string English = "Every morning the fishermen leave the harbour early.";
    private const string German = "Jeden Morgen fahren die Fischer auf den See.";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("mojibake", " cafÃ©")]
    [InlineData("clean", "\u0007")]
    [InlineData("boilerplate-lines", "\nHOME")]
    [InlineData("c4", " {")]
    [InlineData("gopher-repetition", "\nx x x\nx x x\nx x x")]
    [InlineData("gopher-quality", "")]
    [InlineData("fineweb-quality", "\n1\n2\n3")]
    [InlineData("mask-personal-data", " me@example.org")]
    [InlineData("exact-duplicates", "")]
    [InlineData("near-duplicates", "")]
    public void English_documents_are_concerned_and_German_ones_are_not(string stage, string fault)
    {
        string[] texts = [English + fault, German + fault];
        _folder.Write("web.jsonl", string.Concat(texts.Concat(texts).Select(text => JsonSerializer.Serialize(new { text }) + "\n")));
        var manifest = Manifests.Of([("web", _folder["web.jsonl"])], "language candidates=de,en", $"{stage} languages=en");
        var built = new CorpusBuilder(manifest, new PieceStore(_folder["pieces"]), _folder["texts"]).Run(1, null, CancellationToken.None);
        var kept = CorpusSources.Resolve([built.TextFolder]).SelectMany(f => DocumentReader.Read(f, new ReadStatistics()))
            .Select(d => d.Text).ToList();
        Assert.Equal(2, kept.Count(text => text == texts[1]));
        // Of duplicates the first one stays.
        Assert.Equal(stage.EndsWith("duplicates", StringComparison.Ordinal) ? 1 : 0, kept.Count(text => text == texts[0]));
    }
}
