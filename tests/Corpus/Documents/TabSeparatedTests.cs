using System.Text;

namespace Elastic.Corpus.Tests;

public sealed class TabSeparatedTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ReadStatistics _statistics = new();

    [Fact]
    public void A_line_is_a_prompt_a_tab_and_an_answer_without_any_escapes()
    {
        Assert.Equal(
            [("a b", "c", "p.tsv:1"), ("\"q\"", "back\\tslash \\n", "p.tsv:2"), ("", "é 😀", "p.tsv:4"), ("last", " line", "p.tsv:5")],
            Read("a b\tc\r\n\"q\"\tback\\tslash \\n\n\r\n\té 😀\nlast\t line").Select(d => (d.Prompt, d.Text, d.Name)));
        Assert.Equal(0, _statistics.MalformedRecords);
    }

    [Theory]
    [InlineData("no answer", "p.tsv:2 there is no tab: a line is prompt<TAB>answer")]
    [InlineData("a\t", "p.tsv:2 there is nothing behind the tab: the answer is empty")]
    [InlineData("\t", "p.tsv:2 there is nothing behind the tab: the answer is empty")]
    [InlineData("a\tb\tc", "p.tsv:2 there are 2 tabs, where one parts the prompt from the answer: use .jsonl for texts with tabs")]
    [InlineData("a\tb\t", "p.tsv:2 there are 2 tabs, where one parts the prompt from the answer: use .jsonl for texts with tabs")]
    public void A_line_without_two_columns_is_named_and_counted_as_lost(string line, string problem)
    {
        Assert.Equal(["good", "too"], Read($"x\tgood\n{line}\ny\ttoo\n").Select(d => d.Text));
        Assert.Equal(problem, Assert.Single(_statistics.Malformed).ToString());
        Assert.Equal(line.Length, _statistics.LostBytes);
    }

    [Fact]
    public void Bytes_that_are_not_UTF8_are_replaced_and_counted_by_file()
    {
        var document = Assert.Single(Read(Encoding.Latin1.GetBytes("café\tnaïve")));
        Assert.Equal(("caf\uFFFD", "na\uFFFDve"), (document.Prompt, document.Text));
        Assert.StartsWith("p.tsv: 2 sequences", _statistics.RepairedText(), StringComparison.Ordinal);
        document = Assert.Single(DocumentReader.Read(
            CorpusSources.Find(Corpora.Settings(_folder["p.tsv"]) with { AnswerField = "a", Encoding = "latin-1" }).Files[0], new()));
        Assert.Equal(("café", "naïve"), (document.Prompt, document.Text));
    }

    [Fact]
    public void The_same_pairs_of_tsv_and_of_jsonl_become_the_same_tokens()
    {
        _folder.Write("a/p.tsv", "one\tuno\ntwo\tdos\n");
        _folder.Write("b/p.jsonl", "{\"text\": \"one\", \"answer\": \"uno\"}\n{\"text\": \"two\", \"answer\": \"dos\"}\n");
        var tokens = new[] { "a", "b" }.Select(source =>
        {
            var files = CorpusSources.Find(Corpora.Settings(_folder[source]) with { AnswerField = "answer" }).Files;
            var batch = Assert.Single(DocumentBatches.Read(files, new ReadStatistics(), CancellationToken.None));
            return BatchTokenizer.Tokenize(Tokenizer.Open("byte"), batch, 0).Documents
                .SelectMany(d => d.Tokens.ToArray().Append(-d.Uncounted)).ToArray();
        }).ToList();
        Assert.Equal(tokens[0], tokens[1]);
    }

    [Fact]
    public void Tables_of_a_folder_are_passed_over_until_somebody_says_that_they_are_pairs()
    {
        _folder.Write("in/a.txt", "text");
        _folder.Write("in/table.tsv", "a\tb");
        var found = CorpusSources.Find(Corpora.Settings(_folder["in"]));
        Assert.Equal(["a.txt"], found.Files.Select(f => f.Name));
        Assert.Equal("not read: 1 .tsv", found.PassedOver.ToString());
        Refusal.Says("set corpus.answer-field to read them", () => CorpusSources.Find(Corpora.Settings(_folder["in/table.tsv"])));
        File.Delete(_folder["in/a.txt"]);
        Refusal.Says("in/table.tsv holds pairs", () => CorpusSources.Find(Corpora.Settings(_folder["in"])));
        Assert.Single(CorpusSources.Find(Corpora.Settings(_folder["in"]) with { AnswerField = "answer" }).Files);
    }

    public void Dispose() => _folder.Dispose();

    private List<Document> Read(string text) => Read(Encoding.UTF8.GetBytes(text));

    private List<Document> Read(byte[] bytes)
    {
        var path = _folder.Write("p.tsv", bytes);
        return [.. DocumentReader.Read(CorpusSources.Find(Corpora.Settings(path) with { AnswerField = "answer" }).Files[0], _statistics)];
    }
}
