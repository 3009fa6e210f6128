using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// WordPiece, as BERT uses it (Devlin et al. 2019): the longest token that a word begins with, then the longest that its rest begins
/// with; a word that has no such tokens is unknown as a whole.
/// </summary>
internal sealed class WordPieceModel : TokenModel
{
    private readonly Dictionary<string, int> _vocabulary;
    private readonly HashSet<int> _special;
    private readonly int _unknown, _mostCharacters, _longest;
    private readonly string _prefix;

    /// <param name="special">Tokens that no text may become, but for the unknown one.</param>
    public WordPieceModel(JsonPart part, HashSet<int> special)
    {
        _special = special;
        _vocabulary = ReadVocabulary(part.Need("vocab"));
        _longest = _vocabulary.Count == 0 ? 0 : _vocabulary.Keys.Max(k => k.Length);
        _prefix = part.FindText("continuing_subword_prefix") ?? "##";
        _mostCharacters = part.Find("max_input_chars_per_word") is { } most ? most.AsNumber(1, int.MaxValue) : 100;
        var unknown = part.FindText("unk_token") ?? "[UNK]";
        if (!_vocabulary.TryGetValue(unknown, out _unknown))
            throw part.Wrong($"has no token \"{OneLine.Of(unknown, 60)}\", which its unk_token names");
    }

    public override string ContinuationMark => _prefix;

    public override IReadOnlyDictionary<string, int> Vocabulary => _vocabulary;

    public override void Encode(ReadOnlySpan<char> word, List<int> into)
    {
        var before = into.Count;
        if (Characters(word) > _mostCharacters)
        {
            into.Add(_unknown);
            return;
        }
        var lookup = _vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        Span<char> candidate = stackalloc char[_longest];
        for (var start = 0; start < word.Length;)
        {
            var offset = start == 0 ? 0 : _prefix.Length;
            var length = Math.Min(word.Length - start, _longest - offset);
            if (length > 0 && offset > 0)
                _prefix.CopyTo(candidate);
            if (length > 0)
                word.Slice(start, length).CopyTo(candidate[offset..]);
            var token = -1;
            for (; length > 0; length--)
                if (!(length < word.Length - start && char.IsLowSurrogate(word[start + length]))
                    && lookup.TryGetValue(candidate[..(offset + length)], out token) && !_special.Contains(token))
                    break;
            if (length <= 0)
            {
                into.RemoveRange(before, into.Count - before);
                into.Add(_unknown);
                return;
            }
            into.Add(token);
            start += length;
        }
    }

    private static int Characters(ReadOnlySpan<char> word)
    {
        var count = 0;
        foreach (var c in word)
            count += char.IsLowSurrogate(c) ? 0 : 1;
        return count;
    }
}
