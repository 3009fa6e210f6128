using System.Collections.Concurrent;
using System.Runtime.InteropServices;
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

    private const double LnTwo = 0.6931471805599453;

    private static readonly ConcurrentDictionary<string, Lazy<LetterModels>> Made = new(StringComparer.Ordinal);

    // The number of each n-gram, and by number where its costs begin in the two lists: one for each language that has it. They lie side by
    // side, so that a letter takes a few reads of memory and not one for each language.
    private readonly Dictionary<ulong, int> _numbers = [];
    private readonly int[] _first;
    private readonly byte[] _languages;
    private readonly ushort[] _costs;

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

    /// <summary>
    /// Adds the cost of a word's letters in each language to that language's sum, and returns how many they are. A character of Chinese,
    /// Japanese or Korean is three: otherwise one sentence of English would outweigh three of Chinese.
    /// </summary>
    public int Add(ReadOnlySpan<char> word, Span<long> sums)
    {
        Span<int> costs = stackalloc int[Languages.Count];
        var letters = 0;
        for (var i = 0; i < word.Length; i++)
        {
            costs.Fill(Unseen);
            var most = Math.Min(i + 1, LinguaCounts.MostLetters);
            for (var n = 1; n <= most; n++)
                Lower(costs, word.Slice(i + 1 - n, n), (most - n) * BackOff);
            var weight = word[i] is >= '\u3040' and <= '\u9FFF' or >= '\uAC00' and <= '\uD7A3' ? LettersOfCharacter : 1;
            for (var language = 0; language < costs.Length; language++)
                sums[language] += weight * costs[language];
            letters += weight;
        }
        return letters;
    }

    private void Lower(Span<int> costs, ReadOnlySpan<char> letters, int backOff)
    {
        if (!_numbers.TryGetValue(Key(letters), out var number))
            return;
        for (var at = _first[number]; at < _first[number + 1]; at++)
        {
            var language = _languages[at];
            costs[language] = Math.Min(Unseen, _hasSingleLettersOnly[language] ? _costs[at] : _costs[at] + backOff);
        }
    }

    private static ushort CostOf(double share) =>
        (ushort)Math.Clamp(Math.Round(-Elementary.Log(share) / LnTwo * Bit), 0, Unseen);

    private static ulong Key(ReadOnlySpan<char> letters)
    {
        var key = 0UL;
        foreach (var letter in letters)
            key = key << 16 | letter;
        return key;
    }
}
