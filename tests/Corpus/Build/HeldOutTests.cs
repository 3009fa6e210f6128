using Elastic.Corpus.Build;
using Elastic.Corpus.Build.Duplicates;
using Elastic.Corpus.Build.Stages;

namespace Elastic.Corpus.Tests.Build;

public sealed class HeldOutTests : IDisposable
{
    private readonly BuiltFolders _folders = new();

    public void Dispose() => _folders.Dispose();

    [Fact]
    public void No_document_for_validation_or_tests_is_a_near_duplicate_of_one_that_is_trained_on()
    {
        var built = _folders.Build(Split(Manifest("near-duplicates")));
        var shingles = Enum.GetValues<Split>().ToDictionary(
            s => s, s => built.Records(s).Select(r => WordShingles.Of(r.Text, 5)).ToList());
        Assert.All(shingles.Values, s => Assert.InRange(s.Count, 5, 100));
        Assert.All(shingles[Corpus.Build.Split.Validation].Concat(shingles[Corpus.Build.Split.Test]), held =>
            Assert.All(shingles[Corpus.Build.Split.Train], trained => Assert.True(NearDuplicates.Similarity(held, trained) < 0.75)));
        // Without the stage some are: the check above can fail.
        var without = _folders.Build(Split(Manifest()));
        var all = without.Records(Corpus.Build.Split.Train).Select(r => WordShingles.Of(r.Text, 5)).ToList();
        Assert.Contains(without.Records(Corpus.Build.Split.Validation).Select(r => WordShingles.Of(r.Text, 5)),
            held => all.Exists(trained => NearDuplicates.Similarity(held, trained) >= 0.75));
    }

    [Fact]
    public void Every_kept_document_is_in_one_part_and_stays_there_when_the_source_grows()
    {
        var small = _folders.Build(Split(Manifest("near-duplicates")));
        var parts = Enum.GetValues<Split>().SelectMany(small.Records).Select(r => r.Id).ToList();
        Assert.Equal(small.Rows().Where(r => r.Dropped is null).Select(r => r.Id), parts.Order());
        Assert.Equal(small.Records(Corpus.Build.Split.Test).Count(), small.Report.Test.Sum(t => t.Documents));

        var large = _folders.Build(Split(Manifest("near-duplicates", more: 50)));
        foreach (var split in Enum.GetValues<Split>())
            Assert.Subset(
                large.Records(split).Select(r => r.Text).ToHashSet(), small.Records(split).Select(r => r.Text).ToHashSet());
    }

    [Fact]
    public void Where_all_that_is_left_is_for_validation_the_shares_are_named() => Refusal.Says(
        "documents that are left are for validation or tests: lower the shares of the sources (validation, test)",
        () => _folders.Build(With(Manifest("near-duplicates"), 1, 0)));

    private static BuildManifest Split(BuildManifest manifest) => With(manifest, 0.2, 0.2);

    private static BuildManifest With(BuildManifest manifest, double validation, double test) =>
        manifest with { Sources = [.. manifest.Sources.Select(s => s with { Validation = validation, Test = test })] };

    // Texts of 60 words, each twice with one word changed.
    private BuildManifest Manifest(string? stage = null, int more = 0)
    {
        var random = new Random(5);
        var texts = Enumerable.Range(0, 60 + more).Select(i => Enumerable.Range(0, 60).Select(_ => $"w{random.Next(5000)}").ToArray())
            .SelectMany(words => new[] { string.Join(' ', words), string.Join(' ', words.Select((w, i) => i == 30 ? "other" : w)) });
        return Manifests.Of([("all", _folders.Texts("all.jsonl", texts))], stage is null ? [] : [stage]);
    }
}
