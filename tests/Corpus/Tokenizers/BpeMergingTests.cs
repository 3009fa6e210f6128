using CsCheck;

namespace Elastic.Corpus.Tests;

public class BpeMergingTests
{
    // Random merges over few symbols, many of them in orders that no training would give.
    private static readonly Gen<(BpeMerging Merging, int[] Word)> Case =
        from merges in Gen.Select(Gen.Int[0, 11], Gen.Int[0, 11]).List[1, 12]
        from word in Gen.Int[0, 3].Array[1, 700]
        select (new BpeMerging([.. merges.Select((m, i) => (m.Item1, m.Item2, Joined: 4 + i))
            .Where(m => m.Item1 < m.Joined && m.Item2 < m.Joined)
            .DistinctBy(m => (m.Item1, m.Item2))]), word);

    [Fact]
    public void A_word_in_parts_has_the_tokens_of_the_word_as_a_whole() => Case.Sample(
        c => Assert.Equal(c.Merging.ByHeap(c.Word), Merge(c.Merging, c.Word)), iter: 3000, threads: 1);

    [Fact]
    public void Runs_of_one_symbol_have_the_tokens_of_the_word_as_a_whole()
    {
        var merging = new BpeMerging([(0, 0, 1), (1, 1, 2), (2, 1, 3), (2, 2, 4)]);
        for (var length = 1; length < 500; length++)
            Assert.Equal(merging.ByHeap(new int[length]), Merge(merging, new int[length]));
    }

    [Fact]
    public void A_long_word_of_many_different_pairs_has_the_tokens_of_the_word_as_a_whole()
    {
        var pairs = Enumerable.Range(0, 300).Select(i => (Left: i % 29, Right: i * 7 % 31, Joined: 26 + i));
        var merging = new BpeMerging([.. pairs.DistinctBy(m => (m.Left, m.Right))]);
        var random = new Random(1);
        var word = Enumerable.Range(0, 1 << 18).Select(_ => random.Next(26)).ToArray();
        Assert.Equal(merging.ByHeap(word), Merge(merging, word));
    }

    private static List<int> Merge(BpeMerging merging, int[] word)
    {
        var tokens = new List<int>();
        merging.Merge(word, tokens);
        return tokens;
    }
}
