using System.Runtime.InteropServices;
using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// Trains a byte-level BPE (Sennrich et al. 2016, algorithm 1, on bytes): joins the most frequent pair of neighbours again and again; of
/// pairs that are equally frequent the one of the smaller numbers. Counts are kept up to date instead of counted anew, so that the work of
/// a merge is that of its occurrences. The result depends on the counts of the words alone, and is that of the Rust library's BpeTrainer.
/// </summary>
internal sealed class BpeTrainer
{
    // A token for what occurs once would be that one word's.
    private const long LeastCount = 2;

    // One entry per byte of all different words. The token that begins there, or None inside of a token.
    private const int None = -1;

    private readonly int[] _tokenAt;
    private readonly int[] _startOf;                                    // at the last byte of a token: where the token begins
    private readonly int[] _wordOf;
    private readonly bool[] _beginsWord;                                // one more entry: the end of the last word
    private readonly long[] _countOfWord;
    private readonly List<string> _tokens;
    private readonly List<int> _lengths = [];                           // of tokens, in bytes
    private readonly Dictionary<string, int> _numberOf = new(StringComparer.Ordinal);
    private readonly Dictionary<(int, int), long> _counts = [];
    private readonly PriorityQueue<Candidate, (long Count, int Left, int Right)> _queue =
        new(Comparer<(long Count, int Left, int Right)>.Create(
        (a, b) => a.Count != b.Count ? b.Count.CompareTo(a.Count) : (a.Left, a.Right).CompareTo((b.Left, b.Right))));
    private readonly Dictionary<(int, int), List<int>> _grown = [];     // pairs that a merge has made, and where

    /// <param name="first">Tokens that stand before the bytes and are no text.</param>
    /// <param name="cancel">Ends the counting of pairs.</param>
    public BpeTrainer(IReadOnlyDictionary<string, long> words, IReadOnlyList<string> first, CancellationToken cancel)
    {
        // In the order of the characters that stand for them, as the library numbers them.
        _tokens = [.. first, .. Enumerable.Range(0, 256).Select(b => ByteAlphabet.Of((byte)b)).Order().Select(c => c.ToString())];
        foreach (var (token, number) in _tokens.Select((t, i) => (t, i)))
        {
            _numberOf.Add(token, number);
            _lengths.Add(1);
        }
        var length = checked((int)words.Keys.Sum(w => (long)Encoding.UTF8.GetByteCount(w)));
        (_tokenAt, _startOf, _wordOf, _beginsWord) = (new int[length], new int[length], new int[length], new bool[length + 1]);
        _countOfWord = new long[words.Count];
        var (at, word) = (0, 0);
        foreach (var (text, count) in words)
        {
            cancel.ThrowIfCancellationRequested();
            _beginsWord[at] = true;
            _countOfWord[word] = count;
            foreach (var b in Encoding.UTF8.GetBytes(text))
            {
                (_tokenAt[at], _startOf[at], _wordOf[at]) = (_numberOf[ByteAlphabet.Of(b).ToString()], at, word);
                at++;
            }
            word++;
        }
        _beginsWord[length] = true;
        for (var i = 0; i + 1 < length; i++)
        {
            if (!_beginsWord[i + 1])
                Grow(_tokenAt[i], _tokenAt[i + 1], i);
            else
                cancel.ThrowIfCancellationRequested();
        }
        Enqueue();
    }

    /// <summary>Merges until there are <paramref name="vocabulary"/> tokens, or no pair occurs twice.</summary>
    /// <param name="merged">Is told the number of tokens after each merge.</param>
    /// <returns>Tokens by their number, and merges in order, written in <see cref="ByteAlphabet"/>.</returns>
    public (IReadOnlyList<string> Tokens, IReadOnlyList<(string Left, string Right)> Merges) Train(
        int vocabulary, Action<int> merged, CancellationToken cancel)
    {
        // A pair can be merged a second time, where the token that it makes was made by another pair, too: its later place counts.
        var (places, merges) = (new Dictionary<(int, int), int>(), new List<(int Left, int Right)?>());
        while (_tokens.Count < vocabulary && _queue.TryDequeue(out var best, out var known))
        {
            cancel.ThrowIfCancellationRequested();
            var count = _counts[best.Pair];
            if (count != known.Count)
            {
                _queue.Enqueue(best, (count, best.Pair.Left, best.Pair.Right));
                continue;
            }
            if (count < LeastCount)
                break;
            if (places.TryGetValue(best.Pair, out var earlier))
                merges[earlier] = null;
            places[best.Pair] = merges.Count;
            merges.Add(best.Pair);
            Merge(best);
            merged(_tokens.Count);
        }
        return (_tokens, [.. merges.Where(m => m is not null).Select(m => (_tokens[m!.Value.Left], _tokens[m.Value.Right]))]);
    }

    private void Merge(Candidate candidate)
    {
        var (left, right) = candidate.Pair;
        var text = _tokens[left] + _tokens[right];
        if (!_numberOf.TryGetValue(text, out var joined))
        {
            joined = _numberOf[text] = _tokens.Count;
            _tokens.Add(text);
            _lengths.Add(_lengths[left] + _lengths[right]);
        }
        // From left to right: of three equal tokens in a row the first two are joined.
        candidate.Places.Sort();
        foreach (var at in candidate.Places)
        {
            var second = at + _lengths[left];
            if (_tokenAt[at] != left || _beginsWord[second] || _tokenAt[second] != right)
                continue;
            var (end, count) = (second + _lengths[right], _countOfWord[_wordOf[at]]);
            if (!_beginsWord[at])
            {
                var before = _startOf[at - 1];
                Shrink(_tokenAt[before], left, count);
                Grow(_tokenAt[before], joined, before);
            }
            (_tokenAt[at], _tokenAt[second], _startOf[end - 1]) = (joined, None, at);
            if (!_beginsWord[end])
            {
                Shrink(right, _tokenAt[end], count);
                Grow(joined, _tokenAt[end], at);
            }
        }
        Enqueue();
    }

    private void Shrink(int left, int right, long count) =>
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, (left, right), out _) -= count;

    private void Grow(int left, int right, int at)
    {
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, (left, right), out _) += _countOfWord[_wordOf[at]];
        (CollectionsMarshal.GetValueRefOrAddDefault(_grown, (left, right), out _) ??= []).Add(at);
    }

    private void Enqueue()
    {
        foreach (var (pair, places) in _grown)
            if (_counts[pair] is > 0 and var count)
                _queue.Enqueue(new Candidate(pair, places), (count, pair.Item1, pair.Item2));
        _grown.Clear();
    }

    // A pair and the places where it came to be; whether it is still there is looked up when it is merged.
    private sealed record Candidate((int Left, int Right) Pair, List<int> Places);
}
