using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Writes a <c>tokenizer.json</c> for tokenizers that are trained here, or published as a vocabulary alone.</summary>
internal static class TokenizerJson
{
    private const string Qwen2Expression =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly JsonSerializerOptions Format =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = true, NewLine = "\n" };

    /// <summary>How text is cut into words before bytes are merged.</summary>
    internal enum Words
    {
        Gpt2,
        Qwen2,
    }

    /// <summary>A byte-level BPE.</summary>
    /// <param name="added">Tokens of <paramref name="tokens"/>, or beyond them, that are found in text, or that stand for none.</param>
    public static byte[] ByteLevelBpe(
        IEnumerable<(string Text, int Number)> tokens, IEnumerable<(string Left, string Right)> merges,
        IEnumerable<(string Text, int Number, bool IsSpecial)> added, Words words, bool addsSpace) => Write(
        Added(added),
        words == Words.Qwen2 ? new JsonObject { ["type"] = "NFC" } : null,
        words == Words.Gpt2
            ? ByteLevel(addsSpace, usesRegex: true)
            : new JsonObject
            {
                ["type"] = "Sequence",
                ["pretokenizers"] = new JsonArray(
                    new JsonObject
                    {
                        ["type"] = "Split",
                        ["pattern"] = new JsonObject { ["Regex"] = Qwen2Expression },
                        ["behavior"] = "Isolated",
                        ["invert"] = false,
                    },
                    ByteLevel(addsSpace, usesRegex: false)),
            },
        ByteLevel(addsSpace, usesRegex: true), ByteLevel(addsSpace, usesRegex: true),
        new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = null,
            ["continuing_subword_prefix"] = "",
            ["end_of_word_suffix"] = "",
            ["fuse_unk"] = false,
            ["byte_fallback"] = false,
            ["ignore_merges"] = false,
            ["vocab"] = new JsonObject(tokens.Select(t => new KeyValuePair<string, JsonNode?>(t.Text, t.Number))),
            // The older of the two forms, which all versions of the format's library read.
            ["merges"] = new JsonArray([.. merges.Select(m => JsonValue.Create($"{m.Left} {m.Right}"))]),
        });

    /// <summary>BERT's tokenizer.</summary>
    /// <param name="tokens">In the order of their numbers.</param>
    /// <exception cref="ElasticException">A token is there twice, or one that BERT needs is missing.</exception>
    public static byte[] WordPiece(IReadOnlyList<string> tokens, bool isLower, bool? stripsAccents, bool partsIdeographs, string path)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < tokens.Count; i++)
            if (!numbers.TryAdd(tokens[i], i))
                throw new ElasticException(
                    $"{path} has the token \"{OneLine.Of(tokens[i], 60)}\" twice, in lines {numbers[tokens[i]] + 1} and {i + 1}");
        foreach (var needed in (string[])["[UNK]", "[CLS]", "[SEP]"])
            if (!numbers.ContainsKey(needed))
                throw new ElasticException($"{path} has no token {needed}: it is no vocabulary of BERT's kind");
        string[] special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
        return Write(
            Added(special.Where(numbers.ContainsKey).Select(s => (s, numbers[s], true)).OrderBy(s => s.Item2)),
            new JsonObject
            {
                ["type"] = "BertNormalizer",
                ["clean_text"] = true,
                ["handle_chinese_chars"] = partsIdeographs,
                ["strip_accents"] = stripsAccents,
                ["lowercase"] = isLower,
            },
            new JsonObject { ["type"] = "BertPreTokenizer" },
            new JsonObject
            {
                ["type"] = "TemplateProcessing",
                ["single"] = new JsonArray(Special("[CLS]", 0), Sequence("A", 0), Special("[SEP]", 0)),
                ["pair"] = new JsonArray(Special("[CLS]", 0), Sequence("A", 0), Special("[SEP]", 0), Sequence("B", 1), Special("[SEP]", 1)),
                ["special_tokens"] = new JsonObject(((string[])["[CLS]", "[SEP]"]).Select(s => new KeyValuePair<string, JsonNode?>(
                    s, new JsonObject { ["id"] = s, ["ids"] = new JsonArray(numbers[s]), ["tokens"] = new JsonArray(s) }))),
            },
            new JsonObject { ["type"] = "WordPiece", ["prefix"] = "##", ["cleanup"] = true },
            new JsonObject
            {
                ["type"] = "WordPiece",
                ["unk_token"] = "[UNK]",
                ["continuing_subword_prefix"] = "##",
                ["max_input_chars_per_word"] = 100,
                ["vocab"] = new JsonObject(tokens.Select((t, i) => new KeyValuePair<string, JsonNode?>(t, i))),
            });
    }

    /// <summary>JSON as people read it: characters stand for themselves.</summary>
    public static byte[] Bytes(JsonNode json) => [.. JsonSerializer.SerializeToUtf8Bytes(json, Format), (byte)'\n'];

    private static JsonObject Special(string token, int segment) =>
        new() { ["SpecialToken"] = new JsonObject { ["id"] = token, ["type_id"] = segment } };

    private static JsonObject Sequence(string text, int segment) =>
        new() { ["Sequence"] = new JsonObject { ["id"] = text, ["type_id"] = segment } };

    private static JsonObject ByteLevel(bool addsSpace, bool usesRegex) =>
        new() { ["type"] = "ByteLevel", ["add_prefix_space"] = addsSpace, ["trim_offsets"] = true, ["use_regex"] = usesRegex };

    private static JsonArray Added(IEnumerable<(string Text, int Number, bool IsSpecial)> tokens) => new(
    [
        .. tokens.Select(t => new JsonObject
        {
            ["id"] = t.Number,
            ["content"] = t.Text,
            ["single_word"] = false,
            ["lstrip"] = false,
            ["rstrip"] = false,
            ["normalized"] = false,
            ["special"] = t.IsSpecial,
        }),
    ]);

    private static byte[] Write(
        JsonArray added, JsonNode? normalizer, JsonNode cut, JsonNode template, JsonNode decoder, JsonNode model) => Bytes(new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = added,
            ["normalizer"] = normalizer,
            ["pre_tokenizer"] = cut,
            ["post_processor"] = template,
            ["decoder"] = decoder,
            ["model"] = model,
        });
}
