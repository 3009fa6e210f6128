using System.Text.Json;
using Elastic.Host.Commands;

namespace Elastic.Host.Tests.Commands;

/// <summary><c>elastic corpus</c> in this process, from a manifest to the documents of a sample, and a take-down.</summary>
public sealed class BuiltTextSpecs : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;
    private readonly StringWriter _output = new(), _error = new();

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task From_a_manifest_to_samples_decisions_and_a_take_down()
    {
        Write("notes.jsonl", string.Concat(Enumerable.Range(0, 30).Select(i => JsonSerializer.Serialize(new
        {
            text = i == 9 ? "Words of text 8, and more of them." : $"Words of text {i}, and more of them.",
            url = $"https://example.com/{i}",
        }) + "\n")));
        Write("web.conf", "sources = [ { name = notes, paths = [notes.jsonl], licence = CC0, language = en, weight = 2 } ]\n"
            + "stages = [ { stage = clean }, { stage = exact-duplicates } ]");
        Assert.Equal(
            ExitCodes.Done, await Elastic("build", "--manifest", Path.Combine(_folder, "web.conf"), "--set", "corpus.held-out=0.1"));
        var corpus = Assert.Single(Directory.GetDirectories(Path.Combine(_folder, "data", "corpora")));
        Assert.Single(Directory.GetFiles(corpus, "documents-*.parquet"));

        // The manifest weighs its sources: shards are of one each.
        var shards = await File.ReadAllTextAsync(Path.Combine(corpus, "corpus.json"));
        Assert.Contains("\"source\": \"notes\"", shards, StringComparison.Ordinal);
        await Says("show", [], "29 documents, ");
        var text = Path.GetFileName(Assert.Single(Directory.GetDirectories(Path.Combine(_folder, "data", "texts"))));
        await Says(
            "show", ["--text", text[..8]], "language   en: 29 documents", "licence    CC0: 29 documents", "stage      exact-duplicates 1");
        await Says("show", ["--document", "9"], "document 9: notes/notes.jsonl:10, line 10, https://example.com/9", "  clean keeps it",
            "  exact-duplicates drops it: document 8 is like it, with a similarity of 1", "  dropped by exact-duplicates",
            "  like document 8: notes/notes.jsonl:9, line 9, https://example.com/8, with a similarity of 1", "  Words of text 8, and");
        await Says(
            "show", ["--document", "8"], "one of 2 that are alike", "  kept, for train", "its like: document 9: notes/notes.jsonl:10");
        await Says("show", ["--random", "2", "--seed", "3", "--language", "en", "--source", "notes"], "document ", "Words of text");
        await Says("show", ["--sample", "0", "--set", "model.context=16", "--set", "corpus.held-out=0.1"],
            "sample 0 of the corpus", "  document ", "notes/notes.jsonl:");
        await Says("audit", ["--text", text], "30 documents, 29 kept, 1 dropped", "proven: every file is the build's");
        var kept = Path.Combine(_folder, "kept");
        await Says("export", ["--out", kept, "--dropped"], "train   29 documents, ", "dropped   1 document, ",
            $"text {text[..12]} written to {kept}, 4 files");
        Assert.Equal(ExitCodes.Failed, await Elastic("export", "--out", kept));
        Assert.Contains($"{kept} is there already, and nothing is overwritten: name another folder with --out",
            _error.ToString(), StringComparison.Ordinal);
        // Neither leaves anything there, and no message names a temporary file.
        var below = Path.Combine(_folder, "web.conf", "kept");
        Assert.Equal(ExitCodes.Failed, await Elastic("export", "--out", below));
        Assert.Contains($"{below} cannot be written ({Path.Combine(_folder, "web.conf")} is a file): name another place with --out",
            _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.NotFound, await Elastic("show", "--document", "30"));
        Assert.Contains("has no document 30: it has 0 to 29", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.NotFound, await Elastic("show", "--random", "2", "--language", "de"));
        Assert.Contains("has kept no document in the language de: it has notes in en", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.NotFound, await Elastic("show", "--sample", "0", "--set", "corpus.held-out=0.5"));
        Assert.Contains("has no corpus with corpus.tokenizer = byte and corpus.held-out = 0.5",
            _error.ToString(), StringComparison.Ordinal);

        // Among other files, where no table says what the corpus is made of.
        Write("more.txt", "Words of somebody else.");
        Assert.Equal(ExitCodes.Done, await Elastic(
            "build", "--corpus", Path.Combine(_folder, "data", "texts", text, "text"), "--corpus", Path.Combine(_folder, "more.txt")));
        var mixed = Assert.Single(Directory.GetDirectories(Path.Combine(_folder, "data", "corpora")), c => c != corpus);

        File.AppendAllText(Path.Combine(_folder, "web.conf"), "\ntakedown { urls = [\"https://example.com/3\"], licences = [MIT] }");
        await Says("build", ["--manifest", Path.Combine(_folder, "web.conf")],
            "nothing was found to take down licence MIT: write it as",
            $"the text {text[..12]}, and the corpus ", $", and the corpus {Path.GetFileName(corpus)[..12]} that was made of it",
            $", and the corpus {Path.GetFileName(mixed)[..12]} that was made of it",
            " still hold 1 document that the manifest takes down: the same command with --purge deletes them");
        await Says("build", ["--manifest", Path.Combine(_folder, "web.conf"), "--purge"], $"deleted: the text {text[..12]}");
        Assert.False(Directory.Exists(corpus));
        Assert.False(Directory.Exists(mixed));
        Assert.Single(Directory.GetFiles(Path.Combine(_folder, "data", "corpora"), "*.made-of"));
        Assert.Equal(ExitCodes.NotFound, await Elastic("audit", "--text", text));
        Assert.Contains("was deleted, because it held 1 document that the manifest of a later build takes down: what was read of it can "
            + "no longer be proven",
            _error.ToString(), StringComparison.Ordinal);
        var left = Path.GetFileName(Assert.Single(Directory.GetDirectories(Path.Combine(_folder, "data", "texts"))));
        await Says(
            "audit", ["--text", left], "cannot be proven: what was in 1 document that the manifest takes down", "proven: every file");
    }

    [Fact]
    public async Task A_take_down_reaches_a_corpus_in_a_folder_of_its_own()
    {
        var shared = Path.Combine(_folder, "shared");
        Write("notes.jsonl", "{\"text\":\"Words of a text.\",\"url\":\"https://example.com/1\"}\n{\"text\":\"Others.\"}\n");
        Write("web.conf", "sources = [ { name = notes, paths = [notes.jsonl], licence = CC0, language = en } ]");
        string[] build = ["--manifest", Path.Combine(_folder, "web.conf"), "--set", $"node.corpora-dir={shared}"];
        await Says("build", build);
        var corpus = Assert.Single(Directory.GetDirectories(shared));
        File.AppendAllText(Path.Combine(_folder, "web.conf"), "\ntakedown { urls = [\"https://example.com/1\"] }");
        Assert.False(Directory.Exists(Path.Combine(_folder, "data", "corpora")));
        await Says("show", [], $"corpus {Path.GetFileName(corpus)[..12]}");

        // The data directory knows where its corpora are.
        await Says("build", [.. build.SkipLast(2), "--purge"],
            $", and the corpus {Path.GetFileName(corpus)[..12]} that was made of it, which held 1 ");
        Assert.False(Directory.Exists(corpus));
        Assert.Single(Directory.GetDirectories(Path.Combine(_folder, "data", "corpora")));
        Assert.Equal(ExitCodes.NotFound, await Elastic("audit", "--text", Path.GetFileName(corpus)));
        Assert.Contains("was deleted, because it held 1 document", _error.ToString(), StringComparison.Ordinal);
    }

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text);

    private async Task Says(string command, string[] options, params string[] parts)
    {
        Assert.Equal(ExitCodes.Done, await Elastic([command, .. options]));
        Assert.All(parts, part => Assert.Contains(part, _output.ToString(), StringComparison.Ordinal));
    }

    private Task<int> Elastic(params string[] arguments)
    {
        _output.GetStringBuilder().Clear();
        _error.GetStringBuilder().Clear();
        return ElasticCommandLine.RunAsync(
            ["corpus", .. arguments, "--data-dir", Path.Combine(_folder, "data")], _output, _error);
    }
}
