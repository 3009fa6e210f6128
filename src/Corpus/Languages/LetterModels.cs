using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Elastic.Kernels;

namespace Elastic.Corpus.Languages;

/// <summary>
/// What each letter of a word costs in each of some languages: minus the binary logarithm of how often it follows the two letters before
/// it. Where a language has never seen the three, the last two count, and then the last one, for <see cref="BackOff"/> more each ("stupid
/// back-off": Brants et al. 2007, section 4). Costs are whole numbers, made of shares by IEEE operations alone, so that sums of them are
/// the same on all machines.
/// </summary>
internal sealed class LetterModels
{
    /// <summary>A bit is that many units of a cost.</summary>
    public const int Bit = 1024;

    /// <summary>The cost of a letter that a language does not have; nothing costs more.</summary>
    public const int Unseen = 20 * Bit;

    // log2(1 / 0.4), the factor of the paper.
    private const int BackOff = 1354;

    // The Universal Declaration of Human Rights has 8,700 letters in English, 3,800 in Japanese, 3,300 in Korean and 2,600 in Chinese.
    private const int LettersOfCharacter = 3;

    // A power of two. Pages of one language have some thousand triples; these take 4 MB for all languages.
    private const int RecentLetters = 1 << 14;

    private const double LnTwo = 0.6931471805599453;

    private static readonly ConcurrentDictionary<string, Lazy<LetterModels>> Made = new(StringComparer.Ordinal);

    // The number of each n-gram, and by number where its costs begin in the two lists: one for each language that has it. They lie side by
    // side, so that a letter takes a few reads of memory and not one for each language.
    private readonly Dictionary<ulong, int> _numbers = [];
    private readonly int[] _first;
    private readonly byte[] _languages;
    private readonly ushort[] _costs;

    // Costs of the letters that came last, each at a place that follows from its key: a text has few triples of letters, again and
    // again, and to look them up took most of the time. Threads share it: of two that write at once, one loses its entry.
    private readonly KnownCosts?[] _recent = new KnownCosts?[RecentLetters];

    // Languages of which only single letters are known never had a chance of more.
    private readonly bool[] _hasSingleLettersOnly;

    private LetterModels(IReadOnlyList<string> languages)
    {
        Languages = languages;
        _hasSingleLettersOnly = new bool[languages.Count];
        var (found, counts) = (new List<(int Number, byte Language, ushort Cost)>(), new List<int>());
        foreach (var (language, code) in languages.Index())
        {
            _hasSingleLettersOnly[language] = true;
            foreach (var (all, share) in LinguaCounts.Of(code))
            {
                var cost = CostOf(share);
                foreach (var range in all.AsSpan().Split(' '))
                {
                    var letters = all.AsSpan()[range];
                    // A letter outside of the basic plane is two units, and texts are looked through unit by unit.
                    if (letters.Length > LinguaCounts.MostLetters)
                        continue;
                    _hasSingleLettersOnly[language] &= letters.Length == 1;
                    ref var number = ref CollectionsMarshal.GetValueRefOrAddDefault(_numbers, Key(letters), out var isThere);
                    if (!isThere)
                    {
                        number = counts.Count;
                        counts.Add(0);
                    }
                    counts[number]++;
                    found.Add((number, (byte)language, cost));
                }
            }
        }
        _first = new int[counts.Count + 1];
        for (var number = 0; number < counts.Count; number++)
            _first[number + 1] = _first[number] + counts[number];
        (_languages, _costs) = (new byte[found.Count], new ushort[found.Count]);
        int[] next = [.. _first];
        foreach (var (number, language, cost) in found)
            (_languages[next[number]], _costs[next[number]++]) = (language, cost);
    }

    /// <summary>Codes of ISO 639-1.</summary>
    public IReadOnlyList<string> Languages { get; }

    /// <summary>The models of some languages, made once: all 79 take 26 MB.</summary>
    public static LetterModels Of(IReadOnlyList<string> languages)
    {
        var key = string.Join(' ', languages);
        return Made.GetOrAdd(key, _ => new Lazy<LetterModels>(() => new LetterModels(languages))).Value;
    }

    /// <summary>Costs of a letter: one for each language, and zeros up to a whole vector.</summary>
    public int Width => (Languages.Count + Vector256<ushort>.Count - 1) / Vector256<ushort>.Count * Vector256<ushort>.Count;

    /// <summary>
    /// What the last of some letters of a word costs in each language. A character of Chinese, Japanese or Korean costs three times as
    /// much, and is <see cref="Weight"/> letters: otherwise one sentence of English would outweigh three of Chinese.
    /// </summary>
    /// <param name="key">The letter and the two before it, or as many as the word has: see <see cref="Next"/>.</param>
    /// <returns><see cref="Width"/> numbers, not to be changed.</returns>
    public ushort[] CostsOf(ulong key)
    {
        // The upper bits of the product depend on all letters (Knuth, "The Art of Computer Programming", volume 3, section 6.4).
        ref var place = ref _recent[key * 0x9E3779B97F4A7C15 >> (64 - BitOperations.Log2(RecentLetters))];
        if (Volatile.Read(ref place) is { } known && known.Key == key)
            return known.Costs;
        var costs = new ushort[Width];
        costs.AsSpan(0, Languages.Count).Fill(Unseen);
        // No letter is the character 0, so the key tells how many there are.
        var most = key > uint.MaxValue ? 3 : key > ushort.MaxValue ? 2 : 1;
        for (var n = 1; n <= most; n++)
            Lower(costs, key & (ulong.MaxValue >> (64 - 16 * n)), (most - n) * BackOff);
        foreach (ref var cost in costs.AsSpan())
            cost = (ushort)(cost * Weight((char)key));
        Volatile.Write(ref place, new KnownCosts(key, costs));
        return costs;
    }

    /// <summary>The key of a letter that follows the letters of a key; 0 is the beginning of a word.</summary>
    public static ulong Next(ulong key, char letter) => (key << 16 | letter) & (ulong.MaxValue >> (64 - 16 * LinguaCounts.MostLetters));

    /// <summary>As how many letters one counts.</summary>
    public static int Weight(char letter) =>
        letter is >= '\u3040' and <= '\u9FFF' or >= '\uAC00' and <= '\uD7A3' ? LettersOfCharacter : 1;

    private void Lower(ushort[] costs, ulong key, int backOff)
    {
        if (!_numbers.TryGetValue(key, out var number))
            return;
        for (var at = _first[number]; at < _first[number + 1]; at++)
        {
            var language = _languages[at];
            costs[language] = (ushort)Math.Min(Unseen, _hasSingleLettersOnly[language] ? _costs[at] : _costs[at] + backOff);
        }
    }

    private static ushort CostOf(double share) =>
        (ushort)Math.Clamp(Math.Round(-Elementary.Log(share) / LnTwo * Bit), 0, Unseen);

    private static ulong Key(ReadOnlySpan<char> letters)
    {
        var key = 0UL;
        foreach (var letter in letters)
            key = Next(key, letter);
        return key;
    }

    private sealed record KnownCosts(ulong Key, ushort[] Costs);
}
