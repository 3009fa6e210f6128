using Elastic.Corpus.Build;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Build;

/// <summary>What a build is named after: all of its stages' settings, and nothing that a stage cannot use.</summary>
public sealed class StageIdentityTests
{
    [Fact]
    public void Lists_that_differ_far_behind_or_in_how_they_are_cut_into_words_are_of_two_stages()
    {
        var many = Enumerable.Range(0, 400).Select(i => $"word{i}").ToArray();
        var one = Plan("boilerplate-lines", "boilerplate-lines.anywhere", [.. many, "a"]);
        var other = Plan("boilerplate-lines", "boilerplate-lines.anywhere", [.. many, "b"]);
        Assert.NotEqual(one.Identity, other.Identity);
        Assert.NotEqual(one.ReadingIdentity, other.ReadingIdentity);
        // The scope decides what is read, too.
        Assert.NotEqual(
            Plan("clean", "scope.sources", [.. many, "a"]).ReadingIdentity, Plan("clean", "scope.sources", many).ReadingIdentity);
        Assert.Contains("\nboilerplate-lines.anywhere = [word0, word1, ", one.Identity, StringComparison.Ordinal);
        Assert.Single(new[] { one, other }.Select(s => s.Identity.Count(c => c == '\n')).Distinct());
    }

    [Theory]
    [InlineData("a, b", "a|b", "a, b")]
    [InlineData("\"a, b\"", "a, b", "a, b")]
    [InlineData("\"\\\"a\", b\"", "\"a|b\"", "a, b\"")]
    [InlineData("a\u0001", "a\u0002", "a\u0003")]
    [InlineData("", "|", "||")]
    public void Lists_that_differ_are_never_written_alike(string one, string other, string third)
    {
        string[] written = [.. new[] { one, other, third }.Distinct().Select(s => ItemList.Of(s.Split('|'), ", "))];
        Assert.Distinct(written);
        Assert.DoesNotContain('\n', string.Concat(written));
    }

    [Fact]
    public void Patterns_with_blanks_are_of_another_corpus_than_two_patterns()
    {
        using var folder = new TemporaryFolder();
        var file = CorpusSources.Resolve([folder.Write("a.zip", "no archive")])[0];
        Foundation.Digest Id(params string[] members) => CorpusIdentity.Identify(
            [file with { Reading = file.Reading with { Members = members } }], Corpora.Settings("a")).Id;
        Assert.NotEqual(Id("a b"), Id("a", "b"));
        Assert.Equal(Id("a", "b"), Id("a", "b"));
    }

    [Theory]
    [InlineData("scope.formats", "jsonl",
        "scope.formats = [jsonl]: use some of text, xml, html, json-lines, parquet, epub, csv, arrow, source-code")]
    [InlineData("scope.formats", "warc", "use some of text, ")]
    [InlineData("scope.languages", "english", "scope.languages = [english]: use codes of ISO 639, e.g. en")]
    public void A_scope_that_would_apply_to_nothing_is_refused(string key, string word, string why)
    {
        var problems = new List<string>();
        StageKinds.Find("clean")!.Plan([new SettingText(key, [word], true, "the test")], problems);
        Assert.Contains(why, Assert.Single(problems), StringComparison.Ordinal);
        foreach (var (known, words) in new[] { ("scope.formats", "json-lines epub"), ("scope.languages", "en deu pt-BR") })
            Plan("clean", known, words.Split(' '));
    }

    private static PlannedStage Plan(string stage, string key, string[] items)
    {
        var problems = new List<string>();
        var planned = StageKinds.Find(stage)!.Plan([new SettingText(key, items, true, "the test")], problems);
        Assert.Empty(problems);
        return planned;
    }
}
