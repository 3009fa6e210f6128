using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

public class CorpusSourcesTests
{
    [Fact]
    public void A_source_that_does_not_exist_is_named() => Assert.Equal(
        "corpus source /no/such/corpus does not exist: name a file or folder of text that does",
        Assert.Throws<NotFoundException>(() => CorpusSources.Resolve(["/no/such/corpus"])).Message);

    [Fact]
    public void Held_out_text_that_does_not_exist_is_named_with_its_own_setting()
    {
        using var folder = new TemporaryFolder();
        var settings = CorpusSettings.Defaults with { Sources = [folder.Write("a.txt", "x")], Validation = ["/no/such/text"] };
        Refusal.Says(
            "corpus.validation = /no/such/text does not exist: name a file or folder of text that does, or leave it out",
            () => CorpusSources.Find(settings));
    }

    [Fact]
    public void A_file_that_is_not_supported_is_named_with_what_is()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("picture.png", "x");
        var error = Assert.Throws<ElasticException>(() => CorpusSources.Resolve([path])).Message;
        Assert.Contains("picture.png", error, StringComparison.Ordinal);
        Assert.Contains(".jsonl", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_any_supported_file_is_named()
    {
        using var folder = new TemporaryFolder();
        folder.Write("picture.png", "x");
        Refusal.Says($"{folder.Path} holds no file of .txt", () => CorpusSources.Resolve([folder.Path]));
    }

    [Fact]
    public void A_file_that_is_gone_when_it_is_read_is_named()
    {
        using var folder = new TemporaryFolder();
        var files = CorpusSources.Resolve([folder.Write("a.txt", "x")]);
        File.Delete(files[0].Path);
        Refusal.Says($"corpus file {files[0].Path} cannot be read", () => DocumentReader.Read(files[0], new ReadStatistics()).ToList());
        Refusal.Says($"corpus file {files[0].Path} cannot be read", () => CorpusIdentity.Identify(files, Corpora.Settings("")).Id);
    }

    [Fact]
    public void Files_are_ordered_by_name_and_others_are_passed_over()
    {
        using var folder = new TemporaryFolder();
        foreach (var name in (string[])
            ["b.txt", "a/z.MD", "a.jsonl.zst", "B.xml", "c.zst", ".hidden/d.txt", ".e.txt", "page.htm", "t.parquet"])
            folder.Write(name, "x");
        var files = CorpusSources.Resolve([folder.Path]);
        Assert.Equal(["B.xml", "a.jsonl.zst", "a/z.MD", "b.txt", "page.htm", "t.parquet"], files.Select(f => f.Name));
        Assert.Equal(
            [
                DocumentFormat.Xml, DocumentFormat.JsonLines, DocumentFormat.Text, DocumentFormat.Text,
                DocumentFormat.Html, DocumentFormat.Parquet,
            ],
            files.Select(f => f.Format));
    }

    [Fact]
    public void Links_to_files_are_files_and_links_to_folders_are_passed_over()
    {
        using var folder = new TemporaryFolder();
        using var elsewhere = new TemporaryFolder();
        folder.Write("a/b.txt", "x");
        Directory.CreateSymbolicLink(folder["a/circle"], folder.Path);
        Directory.CreateSymbolicLink(folder["twice"], folder["a"]);
        File.CreateSymbolicLink(folder["linked.txt"], elsewhere.Write("far.txt", "y"));
        Assert.Equal(["a/b.txt", "linked.txt"], CorpusSources.Resolve([folder.Path]).Select(f => f.Name));
        // A source that is itself a link is one that somebody has named.
        Assert.Equal(["b.txt"], CorpusSources.Resolve([folder["twice"]]).Select(f => f.Name));
    }

    [Fact]
    public void A_folder_that_may_not_be_read_is_an_error_and_not_left_out()
    {
        if (OperatingSystem.IsWindows())
            return;
        using var folder = new TemporaryFolder();
        folder.Write("open.txt", "x");
        folder.Write("closed/b.txt", "x");
        File.SetUnixFileMode(folder["closed"], UnixFileMode.None);
        if (!Environment.IsPrivilegedProcess) // who may read everything
            Refusal.Says(folder["closed"], () => CorpusSources.Resolve([folder.Path]));
        File.SetUnixFileMode(folder["closed"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.Equal(2, CorpusSources.Resolve([folder.Path]).Count);
    }

    [Fact]
    public void A_file_named_twice_is_read_once_and_same_names_keep_the_order_of_their_sources()
    {
        using var folder = new TemporaryFolder();
        folder.Write("one/x.txt", "1");
        folder.Write("two/x.txt", "2");
        var files = CorpusSources.Resolve([folder["two"], folder["one"], folder["one/x.txt"]]);
        Assert.Equal([folder["two/x.txt"], folder["one/x.txt"]], files.Select(f => f.Path));
    }

    [Fact]
    public void A_file_is_the_same_however_its_path_is_spelled()
    {
        using var folder = new TemporaryFolder();
        folder.Write("text/a.txt", "1");
        folder.Write("text/v.txt", "2");
        folder.Write("text/pairs.tsv", "question\tanswer\n");
        Directory.CreateSymbolicLink(folder["link"], folder["text"]);
        File.CreateSymbolicLink(folder["other.txt"], folder["text/v.txt"]);
        var ignoresCase = OperatingSystem.IsWindows() || OperatingSystem.IsMacOS();
        if (!ignoresCase)
            folder.Write("text/V.txt", "another file");
        foreach (var (sources, validation) in ((string, string)[])
            [("text", "text/v.txt"), ("text", "link/v.txt"), ("text", "other.txt"), ("link", "text/v.txt"), ("text", "text/V.txt")])
        {
            var files = CorpusSources.Find(
                CorpusSettings.Defaults with { Sources = [folder[sources]], Validation = [folder[validation]] }).Files;
            Assert.DoesNotContain(files, f => !f.IsValidation && File.ReadAllText(f.Path) == File.ReadAllText(folder[validation]));
            Assert.Equal(ignoresCase ? 1 : 2, files.Count(f => !f.IsValidation));
        }

        // Once where sources lead to it twice, and of two links in one source the first.
        File.CreateSymbolicLink(folder["text/0.txt"], folder["text/a.txt"]);
        var names = CorpusSources.Resolve([folder["text"], folder["link"], folder["other.txt"]]).Select(f => f.Name).ToList();
        Assert.Equal(ignoresCase ? ["0.txt", "v.txt"] : ["0.txt", "V.txt", "v.txt"], names);
        // Named by itself is named, whatever leads there.
        Refusal.Says("pairs.tsv holds pairs", () => CorpusSources.Resolve([folder["text"], folder["link/pairs.tsv"]]));
    }

    [Fact]
    public void Text_and_token_shards_do_not_mix()
    {
        using var folder = new TemporaryFolder();
        folder.Write("a.bin", Corpora.LlmcBytes([1, 2]));
        folder.Write("a.txt", "x");
        Refusal.Says("mixes token shards", () => CorpusSources.Resolve([folder.Path]));
        Assert.True(CorpusSources.AreTokenShards(CorpusSources.Resolve([folder["a.bin"]])));
        Assert.False(CorpusSources.AreTokenShards(CorpusSources.Resolve([folder["a.txt"]])));
    }

    [Fact]
    public void The_default_corpus_is_the_documentation_of_the_SDK_with_repeated_files_left_out()
    {
        using var folder = new TemporaryFolder();
        folder.Write("packs/Web.Ref/10.0.1/ref/net10.0/Base.xml", "same");
        folder.Write("packs/Web.Ref/10.0.1/ref/net10.0/Web.xml", "web!");
        folder.Write("packs/Base.Ref/10.0.1/ref/net10.0/Base.xml", "same");
        folder.Write("packs/Base.Ref/10.0.1/data/List.xml", "not documentation");
        Assert.Equal(["packs/Base.Ref/10.0.1/ref/net10.0/Base.xml", "packs/Web.Ref/10.0.1/ref/net10.0/Web.xml"],
            DefaultCorpus.Find(["/no/dotnet", folder.Path]).Select(f => f.Name));
    }

    [Fact]
    public void Without_the_SDK_no_other_text_is_taken_and_the_error_says_where_it_looked_and_what_to_do()
    {
        using var packages = new TemporaryFolder();
        packages.Write("akka/1.5.0/lib/net8.0/Akka.xml", "x");
        var error = Assert.Throws<ElasticException>(() => DefaultCorpus.Find(["/no/dotnet", packages.Path])).Message;
        Assert.StartsWith("there is no default corpus", error, StringComparison.Ordinal);
        Assert.Contains("/no/dotnet", error, StringComparison.Ordinal);
        Assert.Contains("DOTNET_ROOT", error, StringComparison.Ordinal);
        Assert.Contains("--corpus", error, StringComparison.Ordinal);
    }
}
