using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Makes tokens of words. Immutable, so that threads share one.</summary>
internal abstract class TokenModel
{
    /// <summary>Far longer than any token of a published vocabulary; it bounds the work per character of a text.</summary>
    public const int LongestToken = 4096;

    /// <summary>Tokens by their text.</summary>
    public abstract IReadOnlyDictionary<string, int> Vocabulary { get; }

    /// <summary>What the text of a token begins with that goes on with a word; empty where nothing says so.</summary>
    public virtual string ContinuationMark => "";

    /// <summary>Appends the tokens of one word, which is not empty.</summary>
    /// <exception cref="ElasticException">The word has no token, and the model has none for unknown ones.</exception>
    public abstract void Encode(ReadOnlySpan<char> word, List<int> into);

    /// <summary>The tokens of the 256 bytes ("&lt;0x0A&gt;"), for characters that no token has; null where one is missing.</summary>
    protected static int[]? BytesOf(IReadOnlyDictionary<string, int> vocabulary)
    {
        var tokens = new int[256];
        for (var b = 0; b < tokens.Length; b++)
            if (!vocabulary.TryGetValue($"<0x{b:X2}>", out tokens[b]))
                return null;
        return tokens;
    }

    /// <summary>Reads an object of tokens and their numbers.</summary>
    /// <exception cref="ElasticException">A token or a number is there twice, or cannot be.</exception>
    protected static Dictionary<string, int> ReadVocabulary(JsonPart part)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        var taken = new HashSet<int>();
        foreach (var (name, number) in part.Properties())
            Add(vocabulary, taken, name, number.AsNumber(0, Messages.Settings.ModelSettings.MostVocabulary - 1), part);
        return vocabulary;
    }

    /// <summary>Adds a token to a vocabulary that is being read.</summary>
    protected static void Add(Dictionary<string, int> vocabulary, HashSet<int> taken, string token, int number, JsonPart part)
    {
        if (token.Length > LongestToken)
            throw part.Wrong($"has a token of {token.Length} characters: at most {LongestToken} are read");
        if (!vocabulary.TryAdd(token, number))
            throw part.Wrong($"has the token \"{OneLine.Of(token, 60)}\" twice");
        if (!taken.Add(number))
            throw part.Wrong($"has two tokens with the number {number}, one of them \"{OneLine.Of(token, 60)}\"");
    }
}
