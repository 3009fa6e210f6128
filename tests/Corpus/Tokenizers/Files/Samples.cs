using System.Text.Json.Nodes;

namespace Elastic.Corpus.Tests;

/// <summary>Tokenizer files that the tests make, of each kind that people publish.</summary>
internal static class Samples
{
    /// <summary>Llama 3's expression, and with one digit a token Qwen's.</summary>
    public const string Llama3 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public const string Gpt2Expression = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>GPT-4o's, which tells upper and lower case apart.</summary>
    public const string Gpt4o =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?"
        + @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"
        + @"\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Words =
        "the of and a to in is you that it he was for on are as with his they I at be this have from or one had by word but not what all "
        + "were we when your can said there use an each which she do how their if will up other about out many then them these so some her "
        + "would make like him into time has look two more write go see number no way could people my than first water been call who oil "
        + "Returns Gets Sets value specified collection object element";

    public static JsonObject File(JsonNode model, JsonNode? cut = null, JsonNode? normalizer = null, JsonNode? decoder = null,
        JsonNode? template = null, params JsonNode[] added) => new()
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. added.Select(a => a.DeepClone())]),
            ["normalizer"] = normalizer?.DeepClone(),
            ["pre_tokenizer"] = cut?.DeepClone(),
            ["post_processor"] = template?.DeepClone(),
            ["decoder"] = decoder?.DeepClone(),
            ["model"] = model,
        };

    public static JsonNode Node(string json) => JsonNode.Parse(json)!;

    public static JsonNode Special(string content, int id, string flags = "") => Node(
        $$"""
        {"id":{{id}},"content":{{JsonValue.Create(content).ToJsonString()}},"single_word":{{Has(flags, 'w')}},"lstrip":{{Has(flags, 'l')}},
         "rstrip":{{Has(flags, 'r')}},"normalized":{{Has(flags, 'n')}},"special":{{Has(flags, 's')}}}
        """);

    public static JsonNode ByteLevel(bool addsSpace, bool usesRegex) => new JsonObject
    { ["type"] = "ByteLevel", ["add_prefix_space"] = addsSpace, ["trim_offsets"] = true, ["use_regex"] = usesRegex };

    public static JsonNode SplitAndBytes(string expression, string behavior = "Isolated", bool isInverted = false) => Sequence(
        "pretokenizers", Split(expression, behavior, isInverted), ByteLevel(addsSpace: false, usesRegex: false));

    public static JsonNode Split(string expression, string behavior, bool isInverted = false) => new JsonObject
    {
        ["type"] = "Split",
        ["pattern"] = new JsonObject { ["Regex"] = expression },
        ["behavior"] = behavior,
        ["invert"] = isInverted,
    };

    public static JsonNode Sequence(string name, params JsonNode[] steps) =>
        new JsonObject { ["type"] = "Sequence", [name] = new JsonArray([.. steps.Select(s => s.DeepClone())]) };

    /// <summary>GPT-2's vocabulary and merges, from its published ranks.</summary>
    public static JsonObject Gpt2Model(bool takesWholeWords = false)
    {
        var merges = Gpt2Merges.Shared;
        var texts = Enumerable.Range(0, Gpt2Merges.Count).Select(t => Alphabet(merges.BytesOf(t))).ToArray();
        var ranks = texts.Select((t, i) => (t, i)).ToDictionary(t => t.t, t => t.i, StringComparer.Ordinal);
        return Bpe(texts, texts.Where(t => t.Length > 1).Select(t => LastMerge(t, ranks)), takesWholeWords);
    }

    // The two tokens that a token has while its own rank does not count.
    private static (string Left, string Right) LastMerge(string token, Dictionary<string, int> ranks)
    {
        var parts = token.Select(c => c.ToString()).ToList();
        while (parts.Count > 2)
        {
            var best = Enumerable.Range(0, parts.Count - 1).MinBy(i => ranks.GetValueOrDefault(parts[i] + parts[i + 1], int.MaxValue));
            parts[best] += parts[best + 1];
            parts.RemoveAt(best + 1);
        }
        return (parts[0], parts[1]);
    }

    public static JsonObject Bpe(IEnumerable<string> tokens, IEnumerable<(string Left, string Right)> merges, bool takesWholeWords = false,
        string? unknown = null, bool fallsBack = false, bool fuses = false) => new()
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = unknown,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = fuses,
            ["byte_fallback"] = fallsBack,
            ["ignore_merges"] = takesWholeWords,
            ["vocab"] = new JsonObject(tokens.Select((t, i) => new KeyValuePair<string, JsonNode?>(t, i))),
            ["merges"] = new JsonArray([.. merges.Select(m => JsonValue.Create($"{m.Left} {m.Right}"))]),
        };

    /// <summary>As Llama 2's files have it: characters, spaces as U+2581, bytes for what has no token.</summary>
    public static JsonObject SentencePieceBpe(bool fallsBack, bool fuses)
    {
        var words = Words.Split(' ').Select(w => "\u2581" + w).ToList();
        var characters = words.SelectMany(w => w).Append('e').Append('.').Append(',').Distinct().Select(c => c.ToString()).ToList();
        var (tokens, merges) = PlainBpe.Train(words, characters, 400);
        string[] bytes = [.. Enumerable.Range(0, 256).Select(b => $"<0x{b:X2}>")];
        return Bpe(["<unk>", "<s>", "</s>", .. fallsBack ? bytes : [], .. tokens], merges, unknown: "<unk>", fallsBack: fallsBack,
            fuses: fuses);
    }

    public static JsonObject WordPiece()
    {
        string[] characters = [.. Enumerable.Range(0x21, 94).Select(c => ((char)c).ToString()), "é", "ü", "ß", "ø", "中", "文", "あ", "д",
            "½"];
        string[] words = [.. Words.Split(' ').Select(w => w.ToLowerInvariant())];
        string[] tokens =
        [
            "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. characters, .. characters.Select(c => "##" + c), .. words,
            .. words.Where(w => w.Length > 2).SelectMany(w => new[] { "##" + w[1..], "##" + w[^2..] }),
        ];
        return new JsonObject
        {
            ["type"] = "WordPiece",
            ["unk_token"] = "[UNK]",
            ["continuing_subword_prefix"] = "##",
            ["max_input_chars_per_word"] = 20,
            ["vocab"] = new JsonObject(tokens.Distinct().Select((t, i) => new KeyValuePair<string, JsonNode?>(t, i))),
        };
    }

    public static JsonObject Unigram(bool fallsBack)
    {
        string[] words = [.. Words.Split(' ').SelectMany(w => new[] { "\u2581" + w, w, w[..^1], w[(w.Length / 2)..] })
            .Where(w => w.Length > 0)];
        string[] characters = [.. words.SelectMany(w => w).Concat("0123456789.,!'ABCé中𝐀\u2581").Select(c => c.ToString())
            .Where(c => !char.IsSurrogate(c[0]))];
        string[] bytes = [.. Enumerable.Range(0, 256).Select(b => $"<0x{b:X2}>")];
        string[] tokens = [.. new[] { "<pad>", "</s>", "<unk>" }.Concat(fallsBack ? bytes : []).Concat(characters)
            .Concat(words).Append("𝐀x").Distinct()];
        // Scores with many ties and near-ties.
        return new JsonObject
        {
            ["type"] = "Unigram",
            ["unk_id"] = 2,
            ["byte_fallback"] = fallsBack,
            ["vocab"] = new JsonArray([.. tokens.Select((t, i) =>
                new JsonArray(t, i < 3 ? 0.0 : -3.0 - i * 7 % 40 / 8.0 - (t.Length == 1 ? 4 : 0)))]),
        };
    }

    private static string Has(string flags, char flag) => flags.Contains(flag, StringComparison.Ordinal) ? "true" : "false";

    private static string Alphabet(ReadOnlySpan<byte> bytes)
    {
        var text = new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
            text[i] = ByteAlphabet.Of(bytes[i]);
        return new string(text);
    }
}
