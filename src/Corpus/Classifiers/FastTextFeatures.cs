using System.Text;

namespace Elastic.Corpus.Classifiers;

/// <summary>
/// Cuts a text into what a model has vectors for: words, n-grams of characters and of words. Joulin et al. 2017, sections 2.1 and 2.2, and
/// Bojanowski et al. 2017, section 3.2; the hashes are those of fastText's program.
/// </summary>
internal sealed class FastTextFeatures
{
    private static readonly byte[] EndOfLine = "</s>"u8.ToArray(), LabelPrefix = "__label__"u8.ToArray();

    private readonly FastTextFile _file;
    private readonly Dictionary<string, int> _words = new(StringComparer.Ordinal);

    public FastTextFeatures(FastTextFile file)
    {
        _file = file;
        foreach (var (number, word) in file.Words.Index())
            _words.TryAdd(Latin(word.Text), number);
    }

    /// <summary>Numbers of vectors, in the order in which they are summed. The text is one line: its line ends are white space.</summary>
    public List<int> Of(string text)
    {
        var (vectors, hashes) = (new List<int>(), new List<int>());
        foreach (var word in text.Split([' ', '\n', '\r', '\t', '\v', '\f', '\0'], StringSplitOptions.RemoveEmptyEntries))
            Add(Encoding.UTF8.GetBytes(word), vectors, hashes);
        Add(EndOfLine, vectors, hashes);
        AddWordNGrams(hashes, vectors);
        return vectors;
    }

    private void Add(byte[] word, List<int> vectors, List<int> hashes)
    {
        var isKnown = _words.TryGetValue(Latin(word), out var number);
        // The program takes a label for the answer.
        if (!isKnown && word.AsSpan().StartsWith(LabelPrefix))
            return;
        hashes.Add((int)Hash(word));
        if (isKnown)
            vectors.Add(number);
        if (!word.AsSpan().SequenceEqual(EndOfLine))
            AddCharacterNGrams([(byte)'<', .. word, (byte)'>'], vectors);
    }

    // One character alone is taken inside of the word only: not the marks of its beginning and end.
    private void AddCharacterNGrams(ReadOnlySpan<byte> word, List<int> vectors)
    {
        for (var first = 0; first < word.Length; first++)
        {
            if (Continues(word[first]))
                continue;
            var end = first;
            for (var n = 1; end < word.Length && n <= _file.Characters.Most; n++)
            {
                end++;
                while (end < word.Length && Continues(word[end]))
                    end++;
                if (n >= _file.Characters.Least && !(n == 1 && (first == 0 || end == word.Length)))
                    AddBucket(Hash(word[first..end]), vectors);
            }
        }
    }

    private void AddWordNGrams(List<int> hashes, List<int> vectors)
    {
        for (var first = 0; first < hashes.Count; first++)
        {
            var hash = (ulong)(long)hashes[first];
            for (var next = first + 1; next < hashes.Count && next < first + _file.WordNGrams; next++)
            {
                hash = unchecked(hash * 116049371 + (ulong)(long)hashes[next]);
                AddBucket(hash, vectors);
            }
        }
    }

    private void AddBucket(ulong hash, List<int> vectors)
    {
        if (_file.Buckets > 0)
            vectors.Add(_file.Words.Count + (int)(hash % (ulong)_file.Buckets));
    }

    private static bool Continues(byte b) => (b & 0xC0) == 0x80;

    // FNV-1a, with bytes above 127 as negative numbers.
    private static uint Hash(ReadOnlySpan<byte> bytes)
    {
        var hash = 2166136261;
        foreach (var b in bytes)
            hash = unchecked((hash ^ (uint)(sbyte)b) * 16777619);
        return hash;
    }

    // A text for each sequence of bytes, valid or not.
    private static string Latin(byte[] bytes) => Encoding.Latin1.GetString(bytes);
}
