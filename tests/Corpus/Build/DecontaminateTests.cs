using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Elastic.Corpus.Build;

namespace Elastic.Corpus.Tests.Build;

public sealed class DecontaminateTests : IDisposable
{
    private const string Question = "which of the thirteen words of this question does a model have to know by heart";

    private readonly BuiltFolders _folders = new();

    public void Dispose() => _folders.Dispose();

    [Fact]
    public void A_run_of_thirteen_words_goes_with_the_characters_around_it_and_the_pieces_are_records_of_their_own()
    {
        var (before, behind) = (Words("a", 150), Words("b", 150));
        var text = $"{before} \"{Question.ToUpperInvariant()}!\" {behind}";
        var built = Build([text]);
        var from = text.IndexOf("WHICH", StringComparison.Ordinal);
        var to = text.IndexOf('!', StringComparison.Ordinal);
        Assert.Equal([text[..(from - 200)], text[(to + 200)..]], built.Records(Split.Train).Select(r => r.Text));
        var row = built.Rows().Single();
        Assert.Equal((2, to - from + 400), (row.Pieces, row.Cut));
    }

    [Fact]
    public void Twelve_words_stay()
    {
        var twelve = string.Join(' ', Question.Split(' ')[..12]);
        var text = $"{Words("a", 150)} {twelve} {Words("b", 150)}";
        Assert.Equal(text, Build([text]).Records(Split.Train).Single().Text);
    }

    [Theory]
    [InlineData(10, 20)]
    [InlineData(11, 11)]
    public void A_run_in_more_than_ten_training_documents_is_common_and_stays(int documents, int records)
    {
        var texts = Enumerable.Range(0, documents).Select(i => $"{Words($"a{i}x", 100)} {Question} {Words($"b{i}x", 100)}").ToList();
        var built = Build(texts);
        Assert.Equal(records, built.Records(Split.Train).Count());
        // Others that are for validation make it no more common, and are not cut.
        var held = Build(texts, validation: texts);
        Assert.Equal(records, held.Records(Split.Train).Count());
        Assert.Equal(texts, held.Records(Split.Validation).Select(r => r.Text));
    }

    [Fact]
    public void A_text_in_too_many_pieces_and_one_of_which_too_little_is_left_go_and_say_why()
    {
        var pieces = string.Join($" {Question} ", Enumerable.Range(0, 12).Select(i => Words($"p{i}x", 150)));
        var built = Build([pieces, $"few words {Question} and few behind", Words("kept", 50)]);
        Assert.Equal([2L], built.Records(Split.Train).Select(r => r.Id));
        Assert.All(built.Rows().Take(2), r => Assert.Equal(
            ("decontaminate",
                "what it does not share with the evaluation sets of decontaminate.against is too little, or in too many pieces"),
            (r.Dropped, r.Why)));
    }

    // Against a plain search on texts of few words, in which runs overlap and repeat.
    [Fact]
    public void What_is_left_is_what_a_plain_search_leaves()
    {
        var random = new Random(11);
        string Text(int words) => string.Join(' ', Enumerable.Range(0, words).Select(_ => "abcdefgh"[random.Next(8)]));
        for (var trial = 0; trial < 6; trial++)
        {
            var (texts, sets) = (Enumerable.Range(0, 12).Select(_ => Text(10 + random.Next(60))).ToList(), new[] { Text(30), Text(30) });
            var built = Build(texts, sets, "words=4 window=3 least-piece=5 most-pieces=4 most-documents=3");
            var left = built.Records(Split.Train).GroupBy(r => r.Id).ToDictionary(g => g.Key, g => g.Select(r => r.Text).ToList());
            foreach (var (id, text) in texts.Index())
                Assert.Equal(Plain(texts, sets, text), left.GetValueOrDefault(id, []));
        }
    }

    [Fact]
    public void What_two_stages_cut_stays_out_whichever_of_them_found_it()
    {
        const string Answer = "an answer that is told in at least as many words as any question that was asked";
        const string Third = "one more run of thirteen words which only the second of both evaluation sets knows about";
        var texts = new[]
        {
            $"{Words("a", 150)} {Question} {Words("b", 150)} {Answer} {Words("c", 150)} {Third} {Words("d", 150)}",
            // The first leaves what is behind the question, the second what is before the answer: together it is too little.
            $"short {Question} {Words("e", 100)} {Answer} short",
            Words("kept", 50),
        };
        var train = _folders.Texts("train.jsonl", texts);
        var (first, second) = (_folders.Texts("first.jsonl", [Question, Third]), _folders.Texts("second.jsonl", [Answer, Third]));
        var both = _folders.Texts("both.jsonl", [Question, Answer, Third]);
        var twice = _folders.Build(
            Manifests.Of([("train", train)], $"decontaminate against={first}", $"decontaminate against={second}"));
        var once = _folders.Build(Manifests.Of([("train", train)], $"decontaminate against={both}"));
        Assert.Equal(5, once.Records(Split.Train).Count());
        Assert.Equal(once.Records(Split.Train).Select(r => (r.Id, r.Text)), twice.Records(Split.Train).Select(r => (r.Id, r.Text)));
        Assert.Equal(once.Rows().Select(r => (r.Pieces, r.Cut)), twice.Rows().Select(r => (r.Pieces, r.Cut)));
        Assert.Equal([null, BuiltDocument.Emptied, null], twice.Rows().Select(r => r.Dropped));
        Assert.Empty(BuildAudit.Check(twice, CancellationToken.None).Problems);
    }

    [Fact]
    public void Other_words_in_the_evaluation_set_give_another_build_and_files_without_enough_words_are_named()
    {
        var path = _folders.Texts("train.jsonl", [Words("a", 100)]);
        BuildManifest Of(string set) => Manifests.Of([("a", path)], $"decontaminate against={_folders.Write("set.txt", set)}");
        Assert.NotEqual(Of(Question).Stages[0].Identity, Of(Question + " and more").Stages[0].Identity);
        Assert.Equal(Of(Question).Stages[0].Identity, Of(Question.ToUpperInvariant()).Stages[0].Identity);
        Assert.DoesNotContain("set.txt", Of(Question).Stages[0].Identity, StringComparison.Ordinal);
        Refusal.Says("has 13 words, so that nothing would be found: name other files, or set decontaminate.words",
            () => Of("too short").Stages[0].Identity);
    }

    [Fact]
    public void What_cannot_be_read_of_the_evaluation_sets_ends_the_build_and_is_named()
    {
        var path = _folders.Texts("train.jsonl", [Words("a", 100)]);
        _folders.Records("sets/a.jsonl", [new { question = Question }]);
        var other = _folders.Records("sets/b.jsonl", [new { problem = Question }, new { problem = Question }]);
        string Identity() =>
            Manifests.Of([("a", path)], $"decontaminate against={_folders["sets"]} text-field=question").Stages[0].Identity;
        Refusal.Says($"decontaminate.against: 2 records of {other} cannot be read", Identity);
        Refusal.Says("name other files, or set decontaminate.text-field", Identity);
        File.Delete(other);
        var alone = Identity();
        // A table is read in a folder, too.
        File.Delete(Path.Combine(_folders["sets"], "a.jsonl"));
        _folders.Write("sets/c.csv", $"question\n{Question}\n");
        Assert.Equal(alone, Identity());
        _folders.Write("sets/d.questions", Question);
        Refusal.Says("decontaminate.against: not read: 1 .questions", Identity);
    }

    [Fact]
    public void An_evaluation_set_of_which_everything_is_read_is_none_that_is_not_read()
    {
        var path = _folders.Texts("train.jsonl", [Words("a", 100)]);
        string Identity(string against) => Manifests.Of([("a", path)], $"decontaminate against={against}").Stages[0].Identity;
        var empty = _folders.Write("sets/empty.txt", "");
        using (var zip = ZipFile.Open(_folders["sets/twice.zip"], ZipArchiveMode.Create))
            foreach (var text in new[] { Question, Question + " and more" })
            {
                using var entry = new StreamWriter(zip.CreateEntry("a.txt").Open());
                entry.Write(text);
            }
        Tar("a.txt");
        var other = _folders.Write("set.txt", Question + " and more");
        Assert.Equal(Identity(other), Identity(_folders["sets"]));

        // What is named alone is meant, and may be a pipe.
        Refusal.Says($"{empty} has no bytes, so that nothing would be looked for", () => Identity(empty));
        var blank = _folders.Texts("blank.jsonl", [" "]);
        Refusal.Says($"{blank} has no text, so that nothing of it would be looked for: name other files, or set", () => Identity(blank));
        using (var zip = ZipFile.Open(_folders["sets/twice.zip"], ZipArchiveMode.Update))
        {
            using var entry = new StreamWriter(zip.CreateEntry("b.questions").Open());
            entry.Write(Question);
        }
        Refusal.Says("1 record of", () => Identity(_folders["sets"]));
        Refusal.Says("b.questions has no format that is read)", () => Identity(_folders["sets"]));
        File.Delete(_folders["sets/twice.zip"]);
        Tar("/a.txt");
        Refusal.Says("1 record of", () => Identity(_folders["sets"]));
        Refusal.Says("to-a.txt is a link)", () => Identity(_folders["sets"]));

        // Names as most programs write them, a link to a link, and one to what is empty.
        void Tar(string target)
        {
            using var file = File.Create(_folders["sets/links.tar"]);
            using var tar = new TarWriter(file);
            foreach (var (name, to) in new[] { ("to-link.txt", "to-empty.txt"), ("to-empty.txt", "empty.txt"), ("to-a.txt", target) })
                tar.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, $"./{name}") { LinkName = to });
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "./empty.txt"));
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "./a.txt")
            {
                DataStream = new MemoryStream(Encoding.ASCII.GetBytes(Question)),
            });
        }
    }

    [Fact]
    public void What_is_not_read_is_named_however_much_is_only_there_twice()
    {
        var path = _folders.Texts("train.jsonl", [Words("a", 100)]);
        var sets = _folders["sets.zip"];
        using (var zip = ZipFile.Open(sets, ZipArchiveMode.Create))
            for (var i = 0; i < ReadStatistics.MalformedKept + 3; i++)
            {
                using var entry = new StreamWriter(zip.CreateEntry(i == ReadStatistics.MalformedKept + 2 ? "b.questions" : "a.txt").Open());
                entry.Write(Question);
            }
        Refusal.Says("b.questions has no format that is read)",
            () => Manifests.Of([("a", path)], $"decontaminate against={sets}").Stages[0].Identity);
    }

    private static List<string> Plain(List<string> texts, string[] sets, string text)
    {
        // Words of one letter: a run of four words is seven characters, at even places.
        static IEnumerable<string> Runs(string s) =>
            Enumerable.Range(0, Math.Max(0, (s.Length - 7) / 2 + 1)).Select(i => s.Substring(2 * i, 7));
        var looked = sets.SelectMany(Runs).ToHashSet();
        var rare = looked.Where(run => texts.Count(t => Runs(t).Contains(run)) <= 3).ToHashSet();
        var marked = new char[text.Length];
        text.CopyTo(marked);
        foreach (var (i, run) in Runs(text).Index().Where(r => rare.Contains(r.Item)))
        {
            for (var at = Math.Max(0, 2 * i - 3); at < Math.Min(text.Length, 2 * i + 7 + 3); at++)
                marked[at] = '#';
        }
        var pieces = new string(marked).Split('#', StringSplitOptions.RemoveEmptyEntries).ToList();
        return pieces.Count > 4 ? [] : pieces.FindAll(p => p.Length >= 5 || p.Length == text.Length);
    }

    private BuiltText Build(
        IReadOnlyList<string> texts, IReadOnlyList<string>? sets = null, string settings = "", IReadOnlyList<string>? validation = null)
    {
        List<(string, string)> sources = [("train", _folders.Texts("train.jsonl", texts))];
        if (validation is not null)
            sources.Add(("held", _folders.Texts("held.jsonl", validation)));
        var against = _folders.Texts("sets.jsonl", sets ?? [Question]);
        var manifest = Manifests.Of(sources, $"decontaminate against={against} {settings}".Trim());
        return _folders.Build(manifest with
        {
            Sources = [.. manifest.Sources.Select(s => s.Name == "held" ? s with { Validation = 1 } : s)],
        });
    }

    private static string Words(string prefix, int count) => string.Join(' ', Enumerable.Range(0, count).Select(i => $"{prefix}{i}"));
}
