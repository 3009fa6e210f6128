using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Byte-pair encoding, of bytes (GPT-2, Llama 3, Qwen) or of characters (Llama 2, by way of SentencePiece).</summary>
internal sealed class BpeModel : TokenModel
{
    private readonly Dictionary<string, int> _vocabulary;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly BpeMerging _merging;
    private readonly HashSet<int> _special;
    private readonly int[]? _bytes;
    private readonly int? _unknown;
    private readonly bool _fusesUnknown, _takesWholeWords;
    private readonly string _prefix, _suffix;

    /// <param name="special">Tokens that no text may become.</param>
    public BpeModel(JsonPart part, HashSet<int> special)
    {
        if (part.Find("dropout") is { } dropout && dropout.AsReal() > 0)
            throw dropout.Wrong("is above 0: dropout makes other tokens of the same text each time; set it to null");
        _special = special;
        _vocabulary = ReadVocabulary(part.Need("vocab"));
        _lookup = _vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        (_prefix, _suffix) = (part.FindText("continuing_subword_prefix") ?? "", part.FindText("end_of_word_suffix") ?? "");
        (_fusesUnknown, _takesWholeWords) = (part.Flag("fuse_unk", false), part.Flag("ignore_merges", false));
        if (part.FindText("unk_token") is { Length: > 0 } unknown)
            _unknown = _vocabulary.TryGetValue(unknown, out var token)
                ? token : throw part.Wrong($"has no token \"{OneLine.Of(unknown, 60)}\", which its unk_token names");
        _bytes = part.Flag("byte_fallback", false) ? BytesOf(_vocabulary) : null;
        _merging = new BpeMerging([.. part.Need("merges").Items().Select(Merge).Where(m => !special.Contains(m.Joined))]);
    }

    public override string ContinuationMark => _prefix;

    public override IReadOnlyDictionary<string, int> Vocabulary => _vocabulary;

    public override void Encode(ReadOnlySpan<char> word, List<int> into)
    {
        if (_takesWholeWords && _lookup.TryGetValue(word, out var whole) && !_special.Contains(whole))
        {
            into.Add(whole);
            return;
        }
        const int OnStack = 256;
        if (word.Length * 3 <= OnStack)
        {
            Span<int> few = stackalloc int[OnStack];
            _merging.Merge(few[..Symbols(word, few)], into);
            return;
        }
        var many = new int[checked(word.Length * 3)];
        _merging.Merge(many.AsSpan(0, Symbols(word, many)), into);
    }

    // Characters as tokens. One that has no token is its bytes, else the unknown token, else nothing.
    private int Symbols(ReadOnlySpan<char> word, Span<int> into)
    {
        var (count, isUnknown) = (0, false);
        Span<byte> utf8 = stackalloc byte[4];
        for (int i = 0, width; i < word.Length; i += width)
        {
            CodePoints.At(word, i, out width);
            var character = word.Slice(i, width);
            if (Find(character, i == 0, i + width == word.Length) is var token and >= 0)
            {
                if (isUnknown)
                    into[count++] = _unknown!.Value;
                isUnknown = false;
                into[count++] = token;
            }
            else if (_bytes is not null)
            {
                foreach (var b in utf8[..System.Text.Encoding.UTF8.GetBytes(character, utf8)])
                    into[count++] = _bytes[b];
            }
            else if (_unknown is { } unknown)
            {
                if (isUnknown && !_fusesUnknown)
                    into[count++] = unknown;
                isUnknown = true;
            }
        }
        if (isUnknown)
            into[count++] = _unknown!.Value;
        return count;
    }

    private int Find(ReadOnlySpan<char> character, bool isFirst, bool isLast)
    {
        if ((isFirst || _prefix.Length == 0) && (!isLast || _suffix.Length == 0))
            return _lookup.TryGetValue(character, out var plain) ? plain : -1;
        return _vocabulary.TryGetValue($"{(isFirst ? "" : _prefix)}{character}{(isLast ? _suffix : "")}", out var token) ? token : -1;
    }

    // "a b", or ["a", "b"] in newer files, where a token may hold a space.
    private (int Left, int Right, int Joined) Merge(JsonPart part)
    {
        string left, right;
        if (part.Element.ValueKind == System.Text.Json.JsonValueKind.Array)
        {
            if (part.Items().ToArray() is not [var first, var second])
                throw part.Wrong("is no pair of tokens");
            (left, right) = (first.AsText(), second.AsText());
        }
        else
        {
            if (part.AsText().Split(' ') is not [var first, var second])
                throw part.Wrong("is not two tokens with a space between them");
            (left, right) = (first, second);
        }
        var joined = left + (right.StartsWith(_prefix, StringComparison.Ordinal) ? right[_prefix.Length..] : right);
        return (Token(left), Token(right), Token(joined));

        int Token(string text) => _vocabulary.TryGetValue(text, out var token)
            ? token : throw part.Wrong(
                $"merges \"{OneLine.Of(left, 60)}\" and \"{OneLine.Of(right, 60)}\", but the vocabulary has no \"{OneLine.Of(text, 60)}\"");
    }
}
