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

    // By n-gram where its costs begin in the two lists below, and how many they are: one for each language that has it.
    private readonly Dictionary<ulong, Place> _places = [];
    private readonly byte[] _languages;
    private readonly ushort[] _costs;

    // Languages of which only single letters are known never had a chance of more.
    private readonly bool[] _hasSingleLettersOnly;

    private LetterModels(IReadOnlyList<string> languages)
    {
        Languages = languages;
        _hasSingleLettersOnly = new bool[languages.Count];
        var found = new List<(ulong Key, byte Language, ushort Cost)>();
        foreach (var (language, code) in languages.Index())
        {
            _hasSingleLettersOnly[language] = true;
            foreach (var (letters, share) in LinguaCounts.Of(code))
            {
                _hasSingleLettersOnly[language] &= letters.Length == 1;
                found.Add((Key(letters), (byte)language, CostOf(share)));
                CollectionsMarshal.GetValueRefOrAddDefault(_places, Key(letters), out _).Count++;
            }
        }
        // Costs of one n-gram lie side by side, so that a letter takes a few reads of memory and not one for each language.
        var first = 0;
        foreach (var key in _places.Keys)
        {
            ref var place = ref CollectionsMarshal.GetValueRefOrNullRef(_places, key);
            (first, place) = (first + place.Count, new Place(first, 0));
        }
        (_languages, _costs) = (new byte[found.Count], new ushort[found.Count]);
        foreach (var (key, language, cost) in found)
        {
            ref var place = ref CollectionsMarshal.GetValueRefOrNullRef(_places, key);
            (_languages[place.First + place.Count], _costs[place.First + place.Count]) = (language, cost);
            place.Count++;
        }
    }

    /// <summary>Codes of ISO 639-1.</summary>
    public IReadOnlyList<string> Languages { get; }

    /// <summary>The models of some languages, made once: all 79 take a second and 40 MB.</summary>
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
        if (!_places.TryGetValue(Key(letters), out var place))
            return;
        for (var at = place.First; at < place.First + place.Count; at++)
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

    private record struct Place(int First, int Count);
}
