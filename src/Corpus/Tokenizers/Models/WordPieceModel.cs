using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// WordPiece, as BERT uses it (Devlin et al. 2019): the longest token that a word begins with, then the longest that its rest begins
/// with; a word that has no such tokens is unknown as a whole.
/// </summary>
internal sealed class WordPieceModel : TokenModel
{
    private readonly Dictionary<string, int> _vocabulary;
    private readonly int _unknown, _mostCharacters;
    private readonly TokenTrie _trie;

    // Where words go on, behind the prefix; null where no token has it.
    private readonly int? _inside;

    /// <param name="special">Tokens that no text may become, but for the unknown one.</param>
    public WordPieceModel(JsonPart part, HashSet<int> special)
    {
        _vocabulary = ReadVocabulary(part.Need("vocab"));
        _trie = new TokenTrie([.. _vocabulary.Where(t => t.Key.Length > 0 && !special.Contains(t.Value))]);
        _inside = TokenTrie.Root;
        ContinuationMark = part.FindText("continuing_subword_prefix") ?? "##";
        foreach (var c in ContinuationMark)
            _inside = _inside is { } node ? _trie.Next(node, c)?.Node : null;
        _mostCharacters = part.Find("max_input_chars_per_word") is { } most ? most.AsNumber(1, int.MaxValue) : 100;
        var unknown = part.FindText("unk_token") ?? "[UNK]";
        if (!_vocabulary.TryGetValue(unknown, out _unknown))
            throw part.Wrong($"has no token \"{OneLine.Of(unknown, 60)}\", which its unk_token names");
    }

    public override string ContinuationMark { get; }

    public override IReadOnlyDictionary<string, int> Vocabulary => _vocabulary;

    public override void Encode(ReadOnlySpan<char> word, List<int> into)
    {
        var before = into.Count;
        if (Characters(word) > _mostCharacters)
        {
            into.Add(_unknown);
            return;
        }
        for (var start = 0; start < word.Length;)
        {
            var (token, end) = Longest(word, start);
            if (token == TokenTrie.None)
            {
                into.RemoveRange(before, into.Count - before);
                into.Add(_unknown);
                return;
            }
            into.Add(token);
            start = end;
        }
    }

    // The longest token at a place, and where it ends; none ends inside of a character.
    private (int Token, int End) Longest(ReadOnlySpan<char> word, int start)
    {
        var (longest, node) = ((TokenTrie.None, start), start == 0 ? TokenTrie.Root : _inside);
        for (var end = start; node is { } here && end < word.Length;)
        {
            var next = _trie.Next(here, word[end++]);
            node = next?.Node;
            if (next is { Token: not TokenTrie.None } found && !(end < word.Length && char.IsLowSurrogate(word[end])))
                longest = (found.Token, end);
        }
        return longest;
    }

    private static int Characters(ReadOnlySpan<char> word)
    {
        var count = 0;
        foreach (var c in word)
            count += char.IsLowSurrogate(c) ? 0 : 1;
        return count;
    }
}
