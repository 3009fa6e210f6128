using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>The unigram language model (Kudo 2018): of all ways to cut a word into tokens, the one of the largest sum of scores.</summary>
internal sealed class UnigramModel : TokenModel
{
    // An unknown character costs so much more than the least likely token; SentencePiece's value.
    private const double UnknownPenalty = 10;

    private readonly Dictionary<string, int> _vocabulary = new(StringComparer.Ordinal);
    private readonly List<double> _scores = [];
    private readonly TokenTrie _trie;
    private readonly int? _unknown;
    private readonly int[]? _bytes;
    private readonly double _unknownScore;

    /// <param name="special">Tokens that no text may become.</param>
    public UnigramModel(JsonPart part, HashSet<int> special)
    {
        var taken = new HashSet<int>();
        foreach (var item in part.Need("vocab").Items())
        {
            if (item.Items().ToArray() is not [var token, var score])
                throw item.Wrong("is no pair of a token and its score");
            var number = _scores.Count;
            Add(_vocabulary, taken, token.AsText(), number, item);
            _scores.Add(score.AsReal());
        }
        if (_scores.Count is 0 or > Messages.Settings.ModelSettings.MostVocabulary)
            throw part.Wrong($"has {_scores.Count} tokens");
        if (part.Find("unk_id") is { } unknown)
            _unknown = unknown.AsNumber(0, _scores.Count - 1);
        _bytes = part.Flag("byte_fallback", false) ? BytesOf(_vocabulary) : null;
        _unknownScore = _scores.Min() - UnknownPenalty;
        _trie = new TokenTrie([.. _vocabulary.Where(t => t.Key.Length > 0 && !special.Contains(t.Value))]);
    }

    public override IReadOnlyDictionary<string, int> Vocabulary => _vocabulary;

    public override void Encode(ReadOnlySpan<char> word, List<int> into)
    {
        var (scores, starts, tokens) = (new double[word.Length + 1], new int[word.Length + 1], new int[word.Length + 1]);
        starts.AsSpan().Fill(-1);
        for (int start = 0, width; start < word.Length; start += width)
        {
            CodePoints.At(word, start, out width);
            var hasCharacter = false;
            var node = TokenTrie.Root;
            for (var end = start; end < word.Length && _trie.Next(node, word[end++]) is var (next, token);)
            {
                node = next;
                if (token == TokenTrie.None)
                    continue;
                Offer(start, end, token, _scores[token], scores, starts, tokens);
                hasCharacter |= end - start == width;
            }
            if (!hasCharacter)
                Offer(start, start + width, -1, _unknownScore, scores, starts, tokens);
        }
        var path = new List<int>();
        for (var end = word.Length; end > 0; end = starts[end])
            path.Add(end);
        path.Reverse();
        AddPath(word, path, tokens, into);
    }

    private static void Offer(int start, int end, int token, double score, double[] scores, int[] starts, int[] tokens)
    {
        var candidate = scores[start] + score;
        if (starts[end] < 0 || candidate > scores[end])
            (scores[end], starts[end], tokens[end]) = (candidate, start, token);
    }

    // Several unknown characters in a row are one unknown piece.
    private void AddPath(ReadOnlySpan<char> word, List<int> ends, int[] tokens, List<int> into)
    {
        var start = 0;
        for (var i = 0; i < ends.Count; i++)
        {
            var token = tokens[ends[i]];
            if (token >= 0)
                into.Add(token);
            else
            {
                while (i + 1 < ends.Count && tokens[ends[i + 1]] < 0)
                    i++;
                AddUnknown(word[start..ends[i]], into);
            }
            start = ends[i];
        }
    }

    private void AddUnknown(ReadOnlySpan<char> piece, List<int> into)
    {
        if (_bytes is not null)
        {
            var utf8 = new byte[Encoding.UTF8.GetByteCount(piece)];
            Encoding.UTF8.GetBytes(piece, utf8);
            foreach (var b in utf8)
                into.Add(_bytes[b]);
        }
        else
            into.Add(_unknown ?? throw new ElasticException(
                $"the text has \"{OneLine.Of(piece.ToString(), 20)}\", of which the tokenizer has no token "
                + "and no unk_id: use another tokenizer"));
    }
}
