using Elastic.Foundation;
using Elastic.Host.Configuration;

namespace Elastic.Host.Tests.Configuration;

public class BuildManifestFileTests
{
    [Fact]
    public void Sources_and_stages_keep_their_order_and_paths_are_the_manifest_s()
    {
        var manifest = BuildManifestFile.Parse("""
            sources = [
              { name = books, paths = [books, /shared/novels], licence = "CC0-1.0" }
              { name = web, paths = [web], language = de }
            ]
            stages = [ { stage = clean }, { stage = gopher-quality, words = [10, 100], languages = [en] }, { stage = exact-duplicates } ]
            """, "/data/my.conf");
        Assert.Equal(["books", "web"], manifest.Sources.Select(s => s.Name));
        Assert.Equal(["/data/books", "/shared/novels"], manifest.Sources[0].Paths);
        Assert.Equal(("CC0-1.0", "de"), (manifest.Sources[0].Licence, manifest.Sources[1].Language));
        Assert.Equal(["clean", "gopher-quality", "exact-duplicates"], manifest.Stages.Select(s => s.Kind.Name));
        Assert.Equal(["en"], manifest.Stages[1].Scope.Languages);
        Assert.Contains("gopher-quality.words = [10, 100]", manifest.Stages[1].Identity, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sources = []", "sources (m.conf): write a list of blocks, e.g. sources = [ { name = books, paths = [books] } ]")]
    [InlineData("stages = [ { stage = clean } ]", "it names no source: add sources = [ { name = NAME, paths = [FOLDER] } ]")]
    [InlineData("sources = [ { name = a } ]", "the source a has no paths: name files or folders, e.g. paths = [books]")]
    [InlineData("sources = [ { paths = [a] } ]", "source.name is empty: give each source a name of its own, e.g. name = books")]
    [InlineData("sources = [ { name = a, paths = [a] }, { name = a, paths = [b] } ]",
        "2 sources are called a: give each a name of its own")]
    [InlineData("sources = [ { nam = a, paths = [a] } ]", "m.conf, sources 1: unknown key nam: did you mean name?")]
    [InlineData("source = [ { name = a, paths = [a] } ]", "unknown key source (m.conf): a manifest has sources and stages")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { stage = cleen } ]",
        "m.conf, stages 1: stage = cleen is not known: known are mojibake, clean, language, boilerplate-lines, c4, ")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { words = 1 } ]",
        "m.conf, stages 1 says no stage = NAME: known are mojibake, clean, language, boilerplate-lines, c4, ")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { stage = gopher-quality, most-bullets = 2 } ]",
        "gopher-quality.most-bullets = 2: use 0 to 1")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { stage = gopher-quality, words = many } ]",
        "gopher-quality.words = many (m.conf, stages 1): expected a list of two numbers, e.g. [0.9, 0.95]")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { stage = clean, sources = [b] } ]",
        "scope.sources names b, which is no source: there are a")]
    public void What_is_wrong_is_named_with_the_remedy(string text, string problem) =>
        Assert.Contains(problem, Assert.ThrowsAny<ElasticException>(() => BuildManifestFile.Parse(text, "m.conf")).Message,
            StringComparison.Ordinal);
}
