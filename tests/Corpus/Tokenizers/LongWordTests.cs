using System.Text;

namespace Elastic.Corpus.Tests;

/// <summary>Words that never end, as hostile or broken text has them. Work is counted, not timed.</summary>
public sealed class LongWordTests(ITestOutputHelper output)
{
    private const int Length = 1 << 18;

    public static TheoryData<string> Words =>
        ["a", "0", "-", "ab", "abcdefghijklmnopqrstuvwxyz", "the", "aaaaaaab", "\u00e9", "\u4e2d\u6587", "\0\u00ff", ""];

    // A token is tried once or twice where it stands, and again where the way from it leads nowhere.
    [Theory]
    [MemberData(nameof(Words))]
    public void GPT_2_tries_as_many_tokens_again_for_twice_as_long_a_word(string repeated)
    {
        var (word, tokens) = (Bytes(repeated), new List<int>());
        var (half, all) = (Gpt2Merges.Shared.Encode(word.AsSpan(0, word.Length / 2), []), Gpt2Merges.Shared.Encode(word, tokens));
        output.WriteLine($"{(double)all / word.Length:0.00} tries a byte");
        Assert.InRange(all, 1, 4L * word.Length);
        Assert.InRange(all, 1, 2.1 * half);
        Assert.Equal(word, tokens.SelectMany(t => Gpt2Merges.Shared.BytesOf(t).ToArray()));
    }

    // A word is merged in parts of 64 symbols, and again around their seams.
    [Theory]
    [MemberData(nameof(Words))]
    public void A_BPE_of_a_file_merges_as_many_symbols_again_for_twice_as_long_a_word(string repeated)
    {
        var (word, tokens) = (Bytes(repeated), new List<int>());
        var merging = Gpt2Merging(out var ofByte);
        int[] symbols = [.. word.Select(b => ofByte[b])];
        var (half, all) = (merging.Merge(symbols.AsSpan(0, symbols.Length / 2), []), merging.Merge(symbols, tokens));
        output.WriteLine($"{(double)all / word.Length:0.00} symbols merged a byte");
        Assert.InRange(all, 1, 8L * word.Length);
        Assert.InRange(all, 1, 2.1 * half);
        var expected = new List<int>();
        Gpt2Merges.Shared.Encode(word, expected);
        Assert.Equal(expected, tokens);
    }

    // A token of 4000 characters begins everywhere and ends nowhere. To look each beginning of it up would be some 10^11 characters here.
    [Fact]
    public void A_word_piece_is_found_in_one_walk_however_long_the_tokens_that_only_begin_there()
    {
        var longest = new string('a', 4000) + "b";
        var json = Samples.WordPiece();
        var vocabulary = json["vocab"]!.AsObject();
        foreach (var token in new[] { "a", "##a", "##" + longest })
            if (!vocabulary.ContainsKey(token))
                vocabulary[token] = vocabulary.Count;
        json["max_input_chars_per_word"] = 1 << 30;
        var file = Samples.File(json, Samples.Node("""{"type":"WhitespaceSplit"}"""), added: Samples.Special("[SEP]", 3, "s"));
        var tokenizer = FileTokenizer.Open(new TokenizerFile(Encoding.UTF8.GetBytes(file.ToJsonString()), 3, "t"));
        var tokens = new List<int>();
        tokenizer.Encode(new string('a', 12_000) + longest, tokens);
        var (first, next, last) = (Number("a"), Number("##a"), Number("##" + longest));
        Assert.Equal([first, .. Enumerable.Repeat(next, 11_999), last], tokens);

        int Number(string token) => vocabulary[token]!.GetValue<int>();
    }

    // Of an empty text letters by chance.
    private static byte[] Bytes(string repeated)
    {
        var random = new Random(1);
        return Encoding.UTF8.GetBytes(repeated.Length == 0
            ? new string([.. Enumerable.Range(0, Length).Select(_ => (char)('a' + random.Next(26)))])
            : string.Concat(Enumerable.Repeat(repeated, Length / repeated.Length)));
    }

    // The merges of GPT-2 as a file has them.
    private static BpeMerging Gpt2Merging(out int[] ofByte)
    {
        var numberOf = Enumerable.Range(0, Gpt2Merges.Count)
            .ToDictionary(t => Convert.ToHexString(Gpt2Merges.Shared.BytesOf(t)), t => t);
        int Number(byte[] bytes) => numberOf[Convert.ToHexString(bytes)];
        ofByte = [.. Enumerable.Range(0, 256).Select(b => Number([(byte)b]))];
        return new BpeMerging(
            [.. Gpt2Merges.Shared.Pairs().Select(p => (Number(p.Left), Number(p.Right), Number([.. p.Left, .. p.Right])))]);
    }
}
