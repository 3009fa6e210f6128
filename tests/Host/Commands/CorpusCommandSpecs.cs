using System.Text;
using Elastic.Host.Commands;

namespace Elastic.Host.Tests.Commands;

/// <summary><c>elastic corpus build</c> in this process: what it says of files that are not as they should be.</summary>
public sealed class CorpusCommandSpecs : IDisposable
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
    public async Task What_is_not_read_and_what_was_repaired_is_said_with_the_names_of_files()
    {
        Write("a.txt", "Words of a text.\n"u8.ToArray());
        Write("latin.txt", Encoding.Latin1.GetBytes("café naïve\n"));
        Write("b.jsonl", "{\"text\": \"More words, enough to make up for the line below.\"}\n{}\n"u8.ToArray());
        Write("c.cs", "class C;"u8.ToArray());
        Write("drafts/d.txt", "not these\n"u8.ToArray());

        Assert.Equal(ExitCodes.Done, await Build("corpus.exclude=[drafts]"));

        Assert.Contains("corpus: not read: 1 .cs", Said, StringComparison.Ordinal);
        Assert.Contains("3 documents", Said, StringComparison.Ordinal);
        Assert.Contains("latin.txt: 2 sequences not in the encoding that it was read in", Said, StringComparison.Ordinal);
        Assert.Contains("b.jsonl:2 there is no field \"text\" with a string (it has none)", Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_field_and_the_encoding_can_be_set()
    {
        Write("latin.jsonl", Encoding.Latin1.GetBytes("{\"body\": \"café naïve\"}\n"));
        Assert.Equal(ExitCodes.Failed, await Build("corpus.encoding=latin-1"));
        Assert.Contains("there is no field \"text\" with a string (it has body)", Said, StringComparison.Ordinal);

        Assert.Equal(ExitCodes.Done, await Build("corpus.encoding=latin-1", "corpus.text-field=body"));
        Assert.Contains("1 document, 12 B", Said, StringComparison.Ordinal);
        Assert.DoesNotContain("repaired", Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_trained_tokenizer_makes_a_corpus_that_does_not_depend_on_where_it_lies()
    {
        for (var i = 0; i < 20; i++)
            Write($"{i}.txt", Encoding.UTF8.GetBytes($"Words of text {i}, words of every text, and more words of text {i * i}.\n"));
        var tokenizer = Path.Combine(_folder, "tokenizer");
        Assert.Equal(ExitCodes.Done, await Train(270, tokenizer));
        Assert.Contains("270 tokens from 20 documents", Said, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Failed, await Train(270, tokenizer));
        Assert.Contains(
            $"{tokenizer} is there already, and nothing is overwritten: name another folder with --out", Said, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.WrongUsage, await Train(257, Path.Combine(_folder, "other")));
        Assert.Contains("--vocabulary 257: use 258 to 1048576", Said, StringComparison.Ordinal);
        Assert.False(Path.Exists(Path.Combine(_folder, "other")));

        Assert.Equal(ExitCodes.Done, await Build($"corpus.tokenizer={tokenizer}"));
        Directory.Move(tokenizer, tokenizer + "-moved");
        Assert.Equal(ExitCodes.Done, await Build($"corpus.tokenizer={tokenizer}-moved/tokenizer.json"));
        var corpus = Assert.Single(Directory.GetDirectories(Path.Combine(_folder, "data", "corpora")));
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(tokenizer + "-moved", "tokenizer.json")),
                File.ReadAllBytes(Path.Combine(corpus, "tokenizer.json")));

        Assert.Equal(ExitCodes.WrongUsage, await Build("corpus.tokenizer=gtp2"));
        Assert.Contains("corpus.tokenizer = \"gtp2\": use byte, gpt2 or the path of a tokenizer's folder or file", Said,
            StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Failed, await Build($"corpus.tokenizer={tokenizer}"));
        Assert.Contains($"there is no tokenizer \"{tokenizer}\"", Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_there_is_a_validation_set_a_tokenizer_is_trained_on_all_other_text()
    {
        for (var i = 0; i < 40; i++)
            Write($"{i}.txt", Encoding.UTF8.GetBytes($"{(char)('a' + i % 26)}{i} {(char)('a' + i % 26)}{i}\n"));
        var valid = Path.Combine(_folder, "valid.txt");
        File.WriteAllText(valid, "zebra zebra zebra");
        var (all, beside) = (Path.Combine(_folder, "all"), Path.Combine(_folder, "beside"));
        Assert.Equal(ExitCodes.Done, await Train(300, all));
        Assert.Equal(ExitCodes.Done, await Train(300, beside, "corpus.held-out=0.5", $"corpus.validation=[\"{valid}\"]"));
        Assert.Equal(
            File.ReadAllText(Path.Combine(all, "tokenizer.json")), File.ReadAllText(Path.Combine(beside, "tokenizer.json")));
    }

    private string Said => _output.ToString() + _error;

    private void Write(string name, byte[] bytes)
    {
        var path = Path.Combine(_folder, "text", name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
    }

    private Task<int> Train(int vocabulary, string folder, params string[] sets) => ElasticCommandLine.RunAsync(
        ["corpus", "train-tokenizer", "--corpus", Path.Combine(_folder, "text"), "--vocabulary", $"{vocabulary}", "--out", folder,
            .. sets.Prepend("corpus.held-out=0").SelectMany(s => new[] { "--set", s })],
        _output, _error);

    private Task<int> Build(params string[] sets) => ElasticCommandLine.RunAsync(
        ["corpus", "build", "--corpus", Path.Combine(_folder, "text"), "--data-dir", Path.Combine(_folder, "data"),
            .. sets.Append("corpus.held-out=0").SelectMany(s => new[] { "--set", s })],
        _output, _error);
}
