using Elastic.Corpus.Build;

namespace Elastic.Corpus.Tests.Build;

/// <summary>Duplicates below the document, and documents from one address.</summary>
public sealed class ParagraphDuplicatesTests : IDisposable
{
    private const string Notice = "This site uses cookies to remember you, and by reading on you agree that it does.";
    private const string Own = "A paragraph of this page alone, which nobody else has written down anywhere.";

    private readonly BuiltFolders _folders = new();

    public void Dispose() => _folders.Dispose();

    [Fact]
    public void A_paragraph_stays_where_it_stands_first_and_what_is_left_of_others_is_one_text()
    {
        var built = Build("least-characters=20",
            $"One.\n\n{Notice}\n\n{Own} 1",
            $"{Notice.ToUpperInvariant()}\n\n{Own} 2\n\nOne.\n",
            $"{Own} 3\n\n{Notice.Replace(" ", "\n", StringComparison.Ordinal)}\n\n{Own} 4\n\n\n{Own} 3",
            $"\n{Notice}\n");
        Assert.Equal(
            [$"One.\n\n{Notice}\n\n{Own} 1", $"{Own} 2\n\nOne.", $"{Own} 3\n\n{Own} 4"], built.Records(Split.Train).Select(r => r.Text));
        Assert.Equal([null, 1, 1, null], built.Rows().Select(r => r.Pieces));
        Assert.Equal((null, "each of its paragraphs stands in an earlier document"), (built.Rows().First().Cut, built.Rows().Last().Why));
        Assert.Empty(BuildAudit.Check(built, default).Problems);
    }

    [Fact]
    public void Lines_are_compared_where_each_is_a_paragraph_and_few_words_stay()
    {
        Assert.Equal(
            [$"{Own} 1\n{Notice}\nshort", $"{Own} 2\nshort"],
            Build("unit=line least-characters=20 least-words=4", $"{Own} 1\n{Notice}\nshort", $"{Notice}\n{Own} 2\nshort")
                .Records(Split.Train).Select(r => r.Text));
        Assert.Equal(
            [$"{Own} 1\n\n{Notice}", $"{Notice}\n\n{Own} 2"],
            Build("least-characters=20 least-words=17", $"{Own} 1\n\n{Notice}", $"{Notice}\n\n{Own} 2")
                .Records(Split.Train).Select(r => r.Text));
    }

    // Against a plain search: texts of few paragraphs, of which each stands in many.
    [Fact]
    public void What_is_left_is_what_a_plain_search_leaves()
    {
        var random = new Random(5);
        for (var trial = 0; trial < 5; trial++)
        {
            var texts = Enumerable.Range(0, 20).Select(_ => string.Join(
                "\n\n", Enumerable.Range(0, 1 + random.Next(6)).Select(_ => $"paragraph {random.Next(30)}"))).ToList();
            var seen = new HashSet<string>();
            var left = texts.Select(t => string.Join("\n\n", t.Split("\n\n").Where(seen.Add))).Where(t => t.Length > 0);
            Assert.Equal(left, Build("least-characters=1", [.. texts]).Records(Split.Train).Select(r => r.Text));
        }
    }

    [Fact]
    public void What_is_held_out_stays_whole_and_takes_nothing_out()
    {
        var manifest = Manifests.Of(
            [
                ("held", _folders.Texts("held.jsonl", [$"{Notice}\n\n{Notice}"])),
                ("train", _folders.Texts("train.jsonl", [$"{Notice}\n\n{Own}"])),
            ],
            "paragraph-duplicates least-characters=20");
        var built = _folders.Build(manifest with { Sources = [manifest.Sources[0] with { Validation = 1 }, manifest.Sources[1]] });
        Assert.Equal([$"{Notice}\n\n{Notice}"], built.Records(Split.Validation).Select(r => r.Text));
        Assert.Equal([$"{Notice}\n\n{Own}"], built.Records(Split.Train).Select(r => r.Text));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Pieces_that_decontaminate_leaves_lose_their_repeated_paragraphs(bool isFirst)
    {
        const string Question = "one two three four five";
        var sets = _folders.Texts("sets.jsonl", [Question]);
        string[] stages =
        [
            $"decontaminate against={sets} words=5 window=0 least-piece=3 most-documents=9", "paragraph-duplicates least-characters=20",
        ];
        var texts = new[]
        {
            $"{Notice}\n\nstart {Question} end", $"abc\n\n{Notice}\n\ndef {Question} xyz\n\n{Notice}", $"{Notice}\n\n{Notice}",
        };
        var built = _folders.Build(Manifests.Of([("a", _folders.Texts("a.jsonl", texts))], isFirst ? stages : [.. stages.Reverse()]));
        Assert.Equal(
            [(0, $"{Notice}\n\nstart"), (0, " end"), (1, "abc\n\ndef"), (1, " xyz")],
            built.Records(Split.Train).Select(r => (r.Id, r.Text.Replace("start ", "start", StringComparison.Ordinal))));
        Assert.Equal([2, 2, null], built.Rows().Select(r => r.Pieces));
        Assert.Empty(BuildAudit.Check(built, default).Problems);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_both_leave_is_asked_for_its_length_again_and_white_space_is_no_text(bool isFirst)
    {
        const string Question = "one two three four five";
        var sets = _folders.Texts("sets.jsonl", [Question]);
        string[] stages =
        [
            $"decontaminate against={sets} words=5 window=0 least-piece=6 most-documents=9", "paragraph-duplicates least-characters=20",
        ];
        var texts = new[]
        {
            Notice, $"abc\n\n{Notice}\n\n{Question} of {Own}",
            $"{Question}\n\n\n\n\n\n\n{Notice}", $"{Question}\n{Own}\n\nabcd\n\n{Notice}",
        };
        var built = _folders.Build(Manifests.Of([("a", _folders.Texts("a.jsonl", texts))], isFirst ? stages : [.. stages.Reverse()]));
        Assert.Equal([Notice, $" of {Own}", $"{Own}\n\nabcd"], built.Records(Split.Train).Select(r => r.Text));
        Assert.Equal([null, 1, null, 1], built.Rows().Select(r => r.Pieces));
        Assert.Equal([null, null, BuiltDocument.Emptied, null], built.Rows().Select(r => r.Dropped));
        Assert.Empty(BuildAudit.Check(built, default).Problems);
    }

    [Fact]
    public void Of_documents_from_one_address_the_first_stays()
    {
        var urls = new[]
        {
            "http://a.example/p?q=1", "https://A.example/p?q=1#part", "https://a.example/p?q=2", "https://a.example/P?q=1", null, null,
            "no address", "no address",
        };
        var built = _folders.Build(Manifests.Of(
            [("a", _folders.Records("a.jsonl", urls.Select((url, i) => new { text = $"text {i}", url })))], "url-duplicates"));
        Assert.Equal([0L, 2, 3, 4, 5, 6], built.Records(Split.Train).Select(r => r.Id));
        Assert.Equal("document 0 comes from the same address", built.Rows().ElementAt(1).Why);
    }

    [Fact]
    public void A_stage_of_a_whole_text_behind_it_is_refused() => Refusal.Says(
        "exact-duplicates comes behind paragraph-duplicates, which cuts texts when all documents are known",
        () => Manifests.Of([("a", "a")], "paragraph-duplicates", "exact-duplicates"));

    private BuiltText Build(string settings, params string[] texts) => _folders.Build(
        Manifests.Of([("a", _folders.Texts("a.jsonl", texts))], $"paragraph-duplicates {settings}"));
}
