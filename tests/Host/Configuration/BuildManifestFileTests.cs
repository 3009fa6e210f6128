using Elastic.Corpus.Build;
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

    [Fact]
    public void Evaluation_sets_and_lists_of_take_downs_are_the_manifest_s_too()
    {
        var folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "list"), "url https://example.com/1\n");
            File.WriteAllText(Path.Combine(folder, "set.txt"), "a b c");
            var manifest = BuildManifestFile.Parse("""
                sources = [ { name = books, paths = [books], validation = 1 } ]
                stages = [ { stage = decontaminate, against = [set.txt], words = 3 } ]
                takedown { file = list, licences = [CC0] }
                """, Path.Combine(folder, "my.conf"));
            Assert.Equal(["take down url https://example.com/1", "take down licence CC0"], manifest.TakeDowns.Identity);
            Assert.Contains("decontaminate.against has ", manifest.Stages[0].Identity, StringComparison.Ordinal);
            Assert.Equal(1, manifest.Sources[0].Validation);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_source_names_files_of_the_web_lists_and_what_it_is_for()
    {
        var source = BuildManifestFile.Parse("""
            sources = [ { name = pile, paths = ["https://a.example/val.jsonl.zst", more, "worker-1:/data"],
              mirrors = ["https://b.example/pile"], validation = 1, subsets = true, on-reject = stop, longest-record = 128,
              block-lists = [list.txt], members = ["*.md"] } ]
            """, "/data/my.conf").Sources[0];
        Assert.Equal(["https://a.example/val.jsonl.zst", "/data/more", "worker-1:/data"], source.Paths);
        Assert.Equal(["/data/list.txt"], source.BlockLists);
        Assert.Equal(
            (1, true, RejectPolicy.Stop, 128),
            (source.Validation, source.Subsets, source.OnReject, source.LongestRecordMiB));
    }

    [Fact]
    public void A_trial_is_a_manifest_with_a_limit()
    {
        const string all = "sources = [ { name = a, paths = [a] } ]";
        Assert.Null(BuildManifestFile.Parse(all, "/data/my.conf").Limit);
        Assert.Equal(20, BuildManifestFile.Parse(BuildManifestFile.Limited(all + "\nlimit = 9", 20), "/data/my.conf").Limit);
    }

    [Theory]
    [InlineData("sources = []", "sources (m.conf): write a list of blocks, e.g. sources = [ { name = books, paths = [books] } ]")]
    [InlineData("stages = [ { stage = clean } ]", "it names no source: add sources = [ { name = NAME, paths = [FOLDER] } ]")]
    [InlineData("sources = [ { name = a } ]", "the source a has no paths: name files or folders, e.g. paths = [books]")]
    [InlineData("sources = [ { paths = [a] } ]", "source.name is empty: give each source a name of its own, e.g. name = books")]
    [InlineData("sources = [ { name = a, paths = [a] }, { name = a, paths = [b] } ]",
        "2 sources are called a: give each a name of its own")]
    [InlineData("sources = [ { nam = a, paths = [a] } ]", "m.conf, sources 1: unknown key nam: did you mean name?")]
    [InlineData("sources = [ { name = a, paths = [\"ftp://a.example/b.txt\"] } ]",
        "the URL ftp://a.example/b.txt is not one of http or https")]
    [InlineData("sources = [ { name = a, paths = [b], mirrors = [b] } ]", "the mirror b of a is no URL of http or https")]
    [InlineData("sources = [ { name = a, paths = [b], on-reject = maybe } ]", "source.on-reject = maybe (m.conf, sources 1): ")]
    [InlineData("source = [ { name = a, paths = [a] } ]",
        "unknown key source (m.conf): a manifest has sources, stages, takedown and limit")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nlimit = 0", "limit (m.conf): write how many documents of each source")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { stage = cleen } ]",
        "m.conf, stages 1: stage = cleen is not known: known are mojibake, clean, language, field, boilerplate-lines, c4, ")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { words = 1 } ]",
        "m.conf, stages 1 says no stage = NAME: known are mojibake, clean, language, field, boilerplate-lines, c4, ")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { stage = gopher-quality, most-bullets = 2 } ]",
        "gopher-quality.most-bullets = 2: use 0 to 1 (m.conf, stages 1)")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { stage = gopher-quality, words = many } ]",
        "gopher-quality.words = many (m.conf, stages 1): expected a list of two numbers, e.g. [0.9, 0.95]")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { stage = clean, sources = [b] } ]",
        "scope.sources names b, which is no source: there are a")]
    [InlineData("sources = [ { name = a, paths = [a], validation = 0.1 } ]",
        "the source a keeps a share of its documents from training, and a near-duplicate of one may be trained on: add { stage = "
        + "near-duplicates } without a scope")]
    [InlineData("sources = [ { name = a, paths = [a], test = 0.1 } ]\nstages = [ { stage = near-duplicates, languages = [en] } ]",
        "add { stage = near-duplicates } without a scope")]
    [InlineData("sources = [ { name = a, paths = [a], validation = 0.7, test = 0.7 } ]",
        "the source a has validation = 0.7 and test = 0.7: together they are more than all of it")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { stage = decontaminate } ]",
        "decontaminate.against is empty: name the files of the evaluation sets, e.g. against = [evaluation/test.jsonl]")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\nstages = [ { stage = decontaminate, against = [b] }, { stage = clean } ]",
        "clean comes behind decontaminate, which cuts texts when all documents are known: move it in front")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\ntakedown = [b]", "takedown (m.conf): write a block, e.g. takedown = { urls = ")]
    [InlineData("sources = [ { name = a, paths = [a] } ]\ntakedown { url = b }", "m.conf, takedown: unknown key url: did you mean urls?")]
    public void What_is_wrong_is_named_with_the_remedy(string text, string problem) =>
        Assert.Contains(problem, Assert.ThrowsAny<ElasticException>(() => BuildManifestFile.Parse(text, "m.conf")).Message,
            StringComparison.Ordinal);
}
