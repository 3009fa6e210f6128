using System.Globalization;
using System.Text.Json;
using Elastic.Corpus.Build;
using Elastic.Corpus.Build.Duplicates;
using Elastic.Corpus.Build.Stages;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Build;

public class NearDuplicatesTests
{
    private static readonly NearDuplicatesSettings Defaults = SettingsRecord.DefaultsOf<NearDuplicatesSettings>();

    // The first hash functions of datasketch's MinHash(num_perm=4, seed=1): numpy.random.RandomState(1).randint over 2^61 - 1. Its hash of
    // a member is the first four bytes of SHA-1, and its documentation has the signature of {"Hello"}.
    [Fact]
    public void A_signature_is_that_of_another_implementation_for_the_same_hash_functions()
    {
        var hash = new MinHash(
        [
            (775169054918279404, 1758426461858698312), (2109959069025162, 965365488286768773),
            (401325382989534145, 1703346441743126657), (1130051441076870728, 1762784241922636284),
        ]);
        const uint Hello = 0x8B9EFFF7;                                  // as sha1sum says it: f7ff9e8b…
        Assert.Equal([734825475u, 960773806, 359816889, 342714745], hash.Signature([Hello]));
    }

    [Theory]
    [InlineData(1 << 30, 1L << 30, int.MaxValue)]                       // twice as long would be no length
    [InlineData(1024, int.MaxValue - 1L, int.MaxValue)]
    [InlineData(1024, 1024L, 2048)]
    public void What_is_dropped_has_room_for_as_many_documents_as_a_build_may_have(int length, long number, int grown)
    {
        Assert.Equal(grown, NearDuplicates.LengthFor(length, number));
        Refusal.Says("near-duplicates compares at most 2147483647 documents", () => NearDuplicates.LengthFor(length, int.MaxValue));
    }

    // Of 2,000 pairs of sets of 200 members; a binomial of that many deviates by more than four standard deviations once in 16,000 times.
    [Theory]
    [InlineData(0.5)]
    [InlineData(0.6)]
    [InlineData(0.7)]
    [InlineData(0.75)]
    [InlineData(0.8)]
    [InlineData(0.9)]
    public void Pairs_share_a_band_as_often_as_the_formula_says(double similarity)
    {
        const int Pairs = 2_000, Members = 200;
        var (hash, random) = (MinHash.Of(Defaults.Bands * Defaults.Rows), new Random(7));
        // |A and B| = c, |A| = |B| = n: c / (2n - c) = s.
        var common = (int)Math.Round(2 * Members * similarity / (1 + similarity));
        var exact = (double)common / (2 * Members - common);
        var shared = 0;
        for (var pair = 0; pair < Pairs; pair++)
        {
            var members = Enumerable.Range(0, 2 * Members - common).Select(_ => (uint)random.NextInt64(1L << 32)).ToArray();
            var (a, b) = (hash.Signature(members[..Members]), hash.Signature(members[(Members - common)..]));
            shared += Enumerable.Range(0, Defaults.Bands).Any(band => a.AsSpan(band * Defaults.Rows, Defaults.Rows)
                .SequenceEqual(b.AsSpan(band * Defaults.Rows, Defaults.Rows))) ? 1 : 0;
        }
        var expected = 1 - Math.Pow(1 - Math.Pow(exact, Defaults.Rows), Defaults.Bands);
        var deviation = Math.Sqrt(Pairs * expected * (1 - expected));
        Assert.InRange(shared, Pairs * expected - 4 * deviation, Pairs * expected + 4 * deviation);
    }

    [Fact]
    public void Shingles_do_not_see_case_punctuation_and_white_space()
    {
        Assert.Equal(WordShingles.Of("The quick, brown fox; jumps OVER it.", 3), WordShingles.Of("the quick\nbrown fox jumps over it", 3));
        Assert.Equal(5, WordShingles.Of("The quick, brown fox; jumps OVER it.", 3).Count);
        Assert.Single(WordShingles.Of("two words", 5));
        Assert.Equal(4, WordShingles.Of("今日は天気", 2).Count);
        Assert.Empty(WordShingles.Of(" …— ", 5));
        // One letter in capitals is two small ones: the same here and where runs of words are looked for.
        Assert.Equal(WordShingles.Of("\u0130LK", 1), WordShingles.Of("i\u0307lk", 1));
        Assert.Equal(WordShingles.Of("\u0130LK", 1), new WordRuns("\u0130LK").Of(1).Select(r => r.Hash).ToHashSet());
    }

    [Fact]
    public void Shingles_of_few_long_documents_or_of_many_short_ones_are_kept()
    {
        var made = new List<long>();
        var recent = new RecentShingles(number =>
        {
            made.Add(number);
            return [.. Enumerable.Range(0, (int)number % 100).Select(i => (ulong)i)];
        })
        { Most = 100 };
        foreach (var number in new long[] { 40, 41, 40, 42, 41, 40, 99, 98, 99, 98 })
            Assert.Equal(number, recent[number].Count);
        // The oldest one goes where they have more than a hundred together, and two stay whatever they have.
        Assert.Equal([40, 41, 42, 40, 99, 98], made);
        Assert.Equal(2, recent.Documents);
        for (var number = 0; number < 30_000; number += 100)
            Assert.Empty(recent[number]);
        Assert.Equal(256, recent.Documents);
    }

    // What all pairs compared exactly would come to, in key order: the rule without the chance of MinHash.
    [Fact]
    public void What_goes_is_what_an_exact_comparison_of_all_pairs_finds_but_for_the_chance_of_the_bands()
    {
        var texts = Planted(out var similarities);
        var removals = Remove(texts, Defaults);
        var shingles = texts.ConvertAll(t => WordShingles.Of(t, Defaults.Words));
        foreach (var removal in removals)
        {
            Assert.True(removal.Match < removal.Number);
            Assert.DoesNotContain(removals, other => other.Number == removal.Match);
            Assert.Equal(NearDuplicates.Similarity(shingles[(int)removal.Number], shingles[(int)removal.Match]), removal.Similarity);
            Assert.True(removal.Similarity >= Defaults.Threshold);
        }
        // Each planted pair stands alone, so that the exact rule drops the later one of each that is similar enough.
        var wanted = similarities.Where(p => p.Value >= Defaults.Threshold).Select(p => (long)p.Key).ToList();
        Assert.Superset(removals.Select(r => r.Number).ToHashSet(), wanted.ToHashSet());
        var expected = similarities.Where(p => p.Value >= Defaults.Threshold)
            .Sum(p => 1 - Math.Pow(1 - Math.Pow(p.Value, Defaults.Rows), Defaults.Bands));
        Assert.InRange(removals.Count, expected - 4 * Math.Sqrt(wanted.Count * 0.25), wanted.Count);
    }

    [Fact]
    public void A_similarity_of_the_threshold_is_enough_and_one_bit_less_is_not()
    {
        // 64 of 80 words.
        List<string> texts = [Numbered(0, 72), Numbered(8, 72)];
        var settings = Defaults with { Words = 1, Threshold = 0.8, Bands = 64, Rows = 1 };
        Assert.Equal([new Removal(1, 0, 0.8)], Remove(texts, settings));
        Assert.Empty(Remove(texts, settings with { Threshold = Math.BitIncrement(0.8) }));
    }

    [Theory]
    [InlineData("The same\n text", true)]
    [InlineData("the same texts", false)]
    [InlineData("thesame text", false)]
    public void An_exact_duplicate_differs_in_case_and_white_space_at_most(string text, bool isDuplicate)
    {
        byte[] Sketch(string of) => new ExactDuplicates().Sketch(new Draft(new DocumentFacts("a", "a", DocumentFormat.Text), of));
        Assert.Equal(isDuplicate, Sketch("the same text").AsSpan().SequenceEqual(Sketch(text)));
    }

    [Fact]
    public void A_document_like_one_that_went_itself_stays()
    {
        var settings = Defaults with { Words = 1, Threshold = 0.6, Bands = 64, Rows = 1 };
        // 0 and 1 have 64 of 80 words, 1 and 2 as many, 0 and 2 only 56 of 88: 0.636 is enough, so at 0.7 the third one stays.
        List<string> texts = [Numbered(0, 72), Numbered(8, 72), Numbered(16, 72)];
        Assert.Equal([1L, 2], Remove(texts, settings).Select(r => r.Number));
        Assert.Equal([1L], Remove(texts, settings with { Threshold = 0.7 }).Select(r => r.Number));
    }

    [Fact]
    public void A_component_is_what_a_chain_of_pairs_connects_and_each_document_names_its_neighbour()
    {
        var words = Enumerable.Range(0, 100).Select(i => $"w{i}").ToArray();
        string Text(int first) => string.Join(' ', words.Skip(first).Take(72));
        var settings = Defaults with { Words = 1, Threshold = 0.7, Bands = 64, Rows = 1, Rule = DuplicateRule.Components };
        // Neighbours 8 words apart have 64 of 80 words, 16 apart 56 of 88, which is too little.
        Assert.Equal([(1L, 0L, 0L), (2, 1, 0)], Edges([Text(0), Text(8), Text(16)]));
        // The first two are connected by the third alone.
        Assert.Equal([(2L, 0L, 0L), (1, 2, 0)], Edges([Text(0), Text(16), Text(8)]));
        Assert.All(Remove([Text(0), Text(16), Text(8)], settings), r => Assert.Equal(0.8, r.Similarity));

        List<(long, long, long)> Edges(List<string> texts) => [.. Remove(texts, settings).Select(r => (r.Number, r.Match, r.StandIn))];
    }

    // Union by the plain definition: whoever shares a pair has the same name, until nothing changes.
    [Fact]
    public void Components_are_those_of_the_exact_graph_of_all_pairs()
    {
        var random = new Random(13);
        var texts = Enumerable.Range(0, 60).Select(_ => random.Next(8)).Select(kind => string.Join(
            ' ', Enumerable.Range(0, 60).Select(i => random.Next(12) == 0 ? $"x{random.Next(1000)}" : $"{kind}w{i}"))).ToList();
        var settings = Defaults with { Words = 1, Threshold = 0.75, Bands = 128, Rows = 1, Rule = DuplicateRule.Components };
        var shingles = texts.ConvertAll(t => WordShingles.Of(t, 1));
        var names = Enumerable.Range(0, texts.Count).ToArray();
        for (var changes = true; changes;)
        {
            changes = false;
            for (var a = 0; a < names.Length; a++)
            {
                for (var b = 0; b < a; b++)
                {
                    if (names[a] == names[b] || NearDuplicates.Similarity(shingles[a], shingles[b]) < settings.Threshold)
                        continue;
                    names[a] = names[b] = Math.Min(names[a], names[b]);
                    changes = true;
                }
            }
        }
        var removals = Remove(texts, settings).OrderBy(r => r.Number).ToList();
        Assert.Equal(
            names.Index().Where(n => n.Item != n.Index).Select(n => ((long)n.Index, (long)n.Item)),
            removals.Select(r => (r.Number, r.StandIn)));
        Assert.All(removals, r => Assert.True(
            NearDuplicates.Similarity(shingles[(int)r.Number], shingles[(int)r.Match]) == r.Similarity
            && r.Similarity >= settings.Threshold));
    }

    [Fact]
    public void Of_many_copies_each_is_compared_with_few_and_all_but_the_first_go()
    {
        var texts = Enumerable.Repeat("the same page with a few words in it", 300).ToList();
        var removals = Remove(texts, Defaults with { MostInBucket = 2 });
        Assert.Equal(Enumerable.Range(1, 299).Select(i => (long)i), removals.Select(r => r.Number).Order());
        Assert.All(removals, r => Assert.Equal((0, 1.0), (r.Match, r.Similarity)));
    }

    // Of each band one bucket of all: whoever comes after the third one is compared with two of those before it.
    [Theory]
    [InlineData(3, 0, 0, 0)]
    [InlineData(4, 14, 4, 14)]
    [InlineData(300, 14, 300, 14 * 297 * 298 / 2)]
    public void What_a_large_bucket_leaves_out_is_counted_and_the_datasheet_says_so(int copies, long buckets, long largest, long pairs)
    {
        using var folders = new BuiltFolders();
        var source = folders.Texts("in.jsonl", Enumerable.Repeat("the same page with a few words in it", copies).Append("another text"));
        var built = folders.Build(Manifests.Of([("in", source)], "near-duplicates most-in-bucket=2"));
        Assert.Equal([new LargeBuckets("near-duplicates", 2, buckets, largest, pairs)], built.Report.LargeBuckets);
        Assert.Contains(
            string.Create(CultureInfo.InvariantCulture, $"| near-duplicates | 2 | {buckets:N0} | {largest:N0} | {pairs:N0} |\n"),
            File.ReadAllText(Path.Combine(built.Folder, "datasheet.md")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DuplicateRule.FirstKept)]
    [InlineData(DuplicateRule.Components)]
    public void No_pair_is_looked_at_any_more_once_it_is_told_to_stop(DuplicateRule rule)
    {
        using var cancel = new CancellationTokenSource();
        var removals = 0;
        Assert.Throws<OperationCanceledException>(() => Decide(
            [.. Enumerable.Repeat("the same page with a few words in it", 50)], Defaults with { Rule = rule },
            _ =>
            {
                removals++;
                cancel.Cancel();
            }, cancel.Token));
        Assert.Equal(1, removals);
    }

    private static string Numbered(int first, int count) => string.Join(' ', Enumerable.Range(first, count).Select(i => $"w{i}"));

    // 120 pairs of texts of 200 words, of which some words are other ones, among texts that are like none.
    private static List<string> Planted(out Dictionary<int, double> similarities)
    {
        var random = new Random(3);
        string[] Words(int count) => [.. Enumerable.Range(0, count).Select(_ => $"w{random.Next(100_000)}")];
        var texts = new List<string>();
        similarities = [];
        for (var pair = 0; pair < 120; pair++)
        {
            var words = Words(200);
            texts.Add(string.Join(' ', words));
            texts.Add(string.Join(' ', Words(150)));
            for (var change = 0; change < pair % 12; change++)
                words[random.Next(words.Length)] = "other";
            similarities[texts.Count] = NearDuplicates.Similarity(
                WordShingles.Of(texts[^2], Defaults.Words), WordShingles.Of(string.Join(' ', words), Defaults.Words));
            texts.Add(string.Join(' ', words));
        }
        return texts;
    }

    private static List<Removal> Remove(List<string> texts, NearDuplicatesSettings settings)
    {
        var removals = new List<Removal>();
        Decide(texts, settings, removals.Add, CancellationToken.None);
        return removals;
    }

    private static void Decide(List<string> texts, NearDuplicatesSettings settings, Action<Removal> take, CancellationToken cancel)
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("all.jsonl", string.Concat(texts.Select(text => JsonSerializer.Serialize(new { text }) + "\n")));
        var manifest = Manifests.Of([("all", file)]);
        var store = new PieceStore(folder["pieces"]);
        var pieces = SourcePiece.Of(manifest, 0, PartSize.Default, [], cancel: CancellationToken.None).ToList();
        store.Read(pieces[0], manifest, CancellationToken.None);
        var stage = new NearDuplicates(settings);
        using var all = new DocumentTexts(store, pieces, folder["work"], CancellationToken.None);
        var candidates = texts.Select((text, i) => new Candidate(
            i, stage.Sketch(new Draft(new DocumentFacts("all", "all", DocumentFormat.JsonLines), text))));
        foreach (var removal in stage.Decide(candidates, all, new StageWork(folder["work"], cancel)))
            take(removal);
    }
}
