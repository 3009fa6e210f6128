using System.Runtime.InteropServices;
using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// How often each word occurs. The memory is bounded: where there are too many different words, the rarest are forgotten, which changes
/// nothing for the merges that many words share. Not thread-safe.
/// </summary>
/// <param name="mostBytes">Bytes of memory that the words may take, counted with what training needs for each of them.</param>
internal sealed class WordCounts(long mostBytes = WordCounts.MostBytes)
{
    /// <summary>A gibibyte: about four million words of eight letters. 74 MB of English have 0.2 million.</summary>
    public const long MostBytes = 1L << 30;

    // A word as a key of the dictionary, and in training (see BpeTrainer) for each byte.
    private const int BytesPerWord = 64, BytesPerByte = 26;

    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);
    private long _bytes;

    /// <summary>Words and their counts, in no order that matters.</summary>
    public IReadOnlyDictionary<string, long> Counts => _counts;

    /// <summary>Occurrences of words that were forgotten.</summary>
    public long Forgotten { get; private set; }

    /// <summary>Counts the words of a batch that is not held out. Depends on the batch alone, so that batches can be counted at
    /// once.</summary>
    public static Dictionary<string, long> Of(DocumentBatch batch, double heldOut)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var part in batch.Documents.Where(d => !BatchTokenizer.IsHeldOut(d, heldOut)).SelectMany(Parts))
        {
            var text = CodePoints.WithoutLoneSurrogates(part).AsSpan();
            for (int start = 0, end; start < text.Length; start = end)
            {
                end = Gpt2Words.EndOfWord(text, start);
                CollectionsMarshal.GetValueRefOrAddDefault(lookup, text[start..end], out _)++;
            }
        }
        return counts;
    }

    /// <summary>Adds the counts of one more batch. The result depends on the order of the batches only where words are forgotten.</summary>
    public void Add(Dictionary<string, long> counts)
    {
        foreach (var (word, count) in counts)
        {
            ref var known = ref CollectionsMarshal.GetValueRefOrAddDefault(_counts, word, out var exists);
            known += count;
            if (!exists)
                _bytes += BytesOf(word);
        }
        for (var rare = 1L; _bytes > mostBytes; rare++)
            foreach (var (word, count) in _counts)
                if (count <= rare)
                {
                    _counts.Remove(word);
                    _bytes -= BytesOf(word);
                    Forgotten += count;
                }
    }

    // The texts that a corpus encodes, each by itself. The new tokenizer has no token for a mark of a conversation: it reads it as text.
    private static IEnumerable<string> Parts(Document document) =>
        document.Pieces?.Select(p => p.Text) ?? (document.Prompt is { } prompt ? [prompt, document.Text] : [document.Text]);

    private static long BytesOf(string word) => BytesPerWord + 2L * word.Length + (long)BytesPerByte * Encoding.UTF8.GetByteCount(word);
}
