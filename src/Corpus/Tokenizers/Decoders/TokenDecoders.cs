using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Turns the texts of tokens into parts of the text that they stand for, which are then joined.</summary>
internal delegate List<string> DecodeTokens(List<string> tokens);

/// <summary>The decoders that a tokenizer file may name.</summary>
internal static class TokenDecoders
{
    private static readonly FrozenDictionary<string, Func<JsonPart, DecodeTokens>> Known =
        new Dictionary<string, Func<JsonPart, DecodeTokens>>
        {
            ["Sequence"] = part => InOrder([.. part.Need("decoders").Items().Select(Of)]),
            ["ByteLevel"] = _ => Bytes,
            ["WordPiece"] = part => WordPiece(part.FindText("prefix") ?? "##", part.Flag("cleanup", true)),
            ["Metaspace"] = part => Metaspace(part.FindText("replacement") ?? "\u2581", PreTokenizers.SchemeOf(part) != "never"),
            ["BPEDecoder"] = part => Suffix(part.FindText("suffix") ?? "</w>"),
            ["Replace"] = part => Replace(part.Need("pattern").Text("String"), part.Text("content")),
            ["ByteFallback"] = _ => ByteFallback,
            ["Fuse"] = _ => tokens => [string.Concat(tokens)],
            ["Strip"] = part => Strip(part.Text("content"), part.Number("start", 0, 1000), part.Number("stop", 0, 1000)),
        }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <exception cref="ElasticException">It is not known, or what it says cannot be.</exception>
    public static DecodeTokens Of(JsonPart part) => part.Make(Known);

    private static DecodeTokens InOrder(DecodeTokens[] steps) => tokens => steps.Aggregate(tokens, (t, step) => step(t));

    private static List<string> Bytes(List<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (var token in tokens)
            bytes.AddRange(ByteAlphabet.BytesOf(token));
        return [Encoding.UTF8.GetString([.. bytes])];
    }

    private static DecodeTokens WordPiece(string prefix, bool cleans) => tokens =>
    [
        .. tokens.Select((token, i) =>
        {
            if (i > 0)
                token = prefix.Length > 0 && token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
            return cleans ? Clean(token) : token;
        }),
    ];

    // What writing a space before each token has put where none was.
    private static string Clean(string text) => text
        .Replace(" .", ".", StringComparison.Ordinal).Replace(" ?", "?", StringComparison.Ordinal)
        .Replace(" !", "!", StringComparison.Ordinal).Replace(" ,", ",", StringComparison.Ordinal)
        .Replace(" ' ", "'", StringComparison.Ordinal).Replace(" n't", "n't", StringComparison.Ordinal)
        .Replace(" 'm", "'m", StringComparison.Ordinal).Replace(" do not", " don't", StringComparison.Ordinal)
        .Replace(" 's", "'s", StringComparison.Ordinal).Replace(" 've", "'ve", StringComparison.Ordinal)
        .Replace(" 're", "'re", StringComparison.Ordinal);

    private static DecodeTokens Metaspace(string mark, bool isPrepended) => tokens =>
        [.. tokens.Select((token, i) => token.Replace(mark, i == 0 && isPrepended ? "" : " ", StringComparison.Ordinal))];

    private static DecodeTokens Suffix(string suffix) => tokens =>
    [
        .. tokens.Select((token, i) =>
            suffix.Length == 0 ? token : token.Replace(suffix, i == tokens.Count - 1 ? "" : " ", StringComparison.Ordinal)),
    ];

    private static DecodeTokens Replace(string searched, string content) => tokens => searched.Length == 0
        ? tokens : tokens.ConvertAll(token => token.Replace(searched, content, StringComparison.Ordinal));

    // Bytes in a row that are no UTF-8 become one U+FFFD each.
    private static List<string> ByteFallback(List<string> tokens)
    {
        var (decoded, bytes) = (new List<string>(tokens.Count), new List<byte>());
        foreach (var token in tokens)
        {
            if (ByteOf(token) is { } b)
            {
                bytes.Add(b);
                continue;
            }
            Flush();
            decoded.Add(token);
        }
        Flush();
        return decoded;

        void Flush()
        {
            if (bytes.Count == 0)
                return;
            byte[] utf8 = [.. bytes];
            decoded.Add(System.Text.Unicode.Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8) : new string('\uFFFD', utf8.Length));
            bytes.Clear();
        }
    }

    /// <summary>The byte that a token such as "&lt;0x0A&gt;" stands for.</summary>
    public static byte? ByteOf(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var b) ? b : null;

    private static DecodeTokens Strip(string content, int start, int stop) => content is not [var c]
        ? throw new ElasticException($"strips \"{OneLine.Of(content, 20)}\", which is not one character")
        : tokens => tokens.ConvertAll(token =>
        {
            var (from, to) = (0, token.Length);
            while (from < to && from < start && token[from] == c)
                from++;
            while (to > from && token.Length - to < stop && token[to - 1] == c)
                to--;
            return token[from..to];
        });
}
