using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// A tokenizer as the files that Hugging Face's libraries read. Both of Elastic's are byte-level BPE (Radford et al. 2019, section 2.2):
/// GPT-2's with its merges, the one of bytes with none.
/// </summary>
public static class TokenizerFiles
{
    /// <summary>What the end of text of both is called in files.</summary>
    internal const string EndOfText = "<|endoftext|>";

    private const string Whole = "tokenizer.json", Vocabulary = "vocab.json", Merges = "merges.txt";

    // GPT-2's has 2 MB; larger vocabularies of later models 35 MB.
    private const int MostBytes = 128 << 20;

    // The vocabulary of GPT-2's files is JSON for people: it writes characters beyond ASCII as they are.
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly string[] CharacterOfByte = CharactersOfBytes();

    /// <summary>The names of all files that may belong to a tokenizer, here or in another program.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        Whole, Vocabulary, Merges, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt", "tokenizer.model",
        "chat_template.jinja",
    ];

    /// <summary>The files, by name.</summary>
    /// <param name="context">Tokens that the model sees at once.</param>
    /// <param name="chat">How conversations are written down, where the model was trained on them.</param>
    public static IReadOnlyDictionary<string, byte[]> Of(Tokenizer tokenizer, int context, ChatFormat? chat = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (tokenizer is FileTokenizer { Source: var source })
            return new Dictionary<string, byte[]>
            {
                [Whole] = source.Json,
                ["tokenizer_config.json"] = Object(json => WriteConfig(json, tokenizer, context, chat)),
            };
        var tokens = TokensOf(tokenizer);
        var merges = tokenizer is Gpt2Tokenizer ? Gpt2Merges.Shared.Pairs().Select(p => $"{Text(p.Left)} {Text(p.Right)}").ToList() : [];
        var files = new Dictionary<string, byte[]>
        {
            [Whole] = Object(json => WriteTokenizer(json, tokenizer, tokens, merges)),
            ["tokenizer_config.json"] = Object(json => WriteConfig(json, tokenizer, context, chat)),
        };
        if (merges.Count > 0)
        {
            files[Vocabulary] = Object(json => WriteVocabulary(json, tokens));
            files[Merges] = Encoding.UTF8.GetBytes($"#version: 0.2\n{string.Join('\n', merges)}\n");
        }

        return files;
    }

    /// <summary>The tokenizer of a folder: one of those that need no file where they are the same; null where it has none.</summary>
    /// <exception cref="ElasticException">Its files cannot be read, or describe what is not known here.</exception>
    public static Tokenizer? Recognize(string folder)
    {
        foreach (var (name, vocabularyOf) in ((string, Func<JsonElement, JsonElement?>)[])
            [(Vocabulary, json => json), (Whole, json => Member(Member(json, "model"), "vocab"))])
        {
            var path = Path.Combine(folder, name);
            if (!File.Exists(path))
                continue;
            try
            {
                using var json = JsonDocument.Parse(RegularFile.Read(path, MostBytes), new() { AllowDuplicateProperties = false });
                return Tokenizer.All.FirstOrDefault(t => vocabularyOf(json.RootElement) is { } vocabulary && IsThatOf(t, vocabulary))
                    ?? FileTokenizer.Open(TokenizerFile.Find(folder));
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or IOException or UnauthorizedAccessException)
            {
                throw new ElasticException(
                    $"the tokenizer in {path} cannot be read ({OneLine.Of(e.Message.TrimEnd('.'))}): get it again", e);
            }
        }

        return File.Exists(Path.Combine(folder, "vocab.txt")) ? FileTokenizer.Open(TokenizerFile.Find(folder)) : null;
    }

    // Each token as the files write it, by its number; without the end of text, which is an added token.
    private static List<string> TokensOf(Tokenizer tokenizer) => tokenizer is Gpt2Tokenizer
        ? [.. Enumerable.Range(0, Gpt2Merges.Count).Select(t => Text(Gpt2Merges.Shared.BytesOf(t)))]
        : [.. CharacterOfByte];

    // Files hold the end of text in the vocabulary or apart.
    private static bool IsThatOf(Tokenizer tokenizer, JsonElement vocabulary)
    {
        if (vocabulary.ValueKind != JsonValueKind.Object)
            return false;
        var tokens = TokensOf(tokenizer);
        var numbers = vocabulary.EnumerateObject().ToDictionary(
            t => t.Name, t => t.Value.ValueKind == JsonValueKind.Number && t.Value.TryGetInt32(out var n) ? n : -1, StringComparer.Ordinal);
        if (numbers.Remove(EndOfText, out var end) && end != tokenizer.EndOfText)
            return false;
        return numbers.Count == tokens.Count && tokens.Index().All(t => numbers.GetValueOrDefault(t.Item, -1) == t.Index);
    }

    private static JsonElement? Member(JsonElement? json, string name) =>
        json is { ValueKind: JsonValueKind.Object } value && value.TryGetProperty(name, out var member) ? member : null;

    private static void WriteTokenizer(Utf8JsonWriter json, Tokenizer tokenizer, List<string> tokens, List<string> merges)
    {
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        json.WriteStartObject();
        json.WriteNumber("id", tokenizer.EndOfText);
        json.WriteString("content", EndOfText);
        foreach (var no in (string[])["single_word", "lstrip", "rstrip", "normalized"])
            json.WriteBoolean(no, false);
        json.WriteBoolean("special", true);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteNull("normalizer");
        // Cuts text into words before the merges, by GPT-2's regular expression. Without merges there is nothing to keep apart.
        WriteByteLevel(json, "pre_tokenizer", cutsWords: merges.Count > 0);
        WriteByteLevel(json, "post_processor", cutsWords: true);
        WriteByteLevel(json, "decoder", cutsWords: true);
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (var none in (string[])["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
            json.WriteNull(none);
        foreach (var no in (string[])["fuse_unk", "byte_fallback", "ignore_merges"])
            json.WriteBoolean(no, false);
        json.WriteStartObject("vocab");
        WriteVocabulary(json, tokens);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var merge in merges)
            json.WriteStringValue(merge);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, string name, bool cutsWords)
    {
        json.WriteStartObject(name);
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", false);
        json.WriteBoolean("use_regex", cutsWords);
        json.WriteEndObject();
    }

    private static void WriteVocabulary(Utf8JsonWriter json, List<string> tokens)
    {
        foreach (var (number, token) in tokens.Index())
            json.WriteNumber(token, number);
        json.WriteNumber(EndOfText, tokens.Count);
    }

    private static void WriteConfig(Utf8JsonWriter json, Tokenizer tokenizer, int context, ChatFormat? chat)
    {
        if (chat is not null)
            json.WriteString("chat_template", chat.Jinja);
        json.WriteString("tokenizer_class", tokenizer is Gpt2Tokenizer ? "GPT2Tokenizer" : "PreTrainedTokenizerFast");
        json.WriteNumber("model_max_length", context);
        if (tokenizer is FileTokenizer given)
        {
            json.WriteString("eos_token", given.TextOf(given.EndOfText));
            return;
        }
        json.WriteBoolean("add_prefix_space", false);
        foreach (var role in (string[])["bos_token", "eos_token", "unk_token"])
            json.WriteString(role, EndOfText);
    }

    private static byte[] Object(Action<Utf8JsonWriter> write)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Json))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return bytes.ToArray();
    }

    private static string Text(ReadOnlySpan<byte> token)
    {
        var text = new StringBuilder(token.Length);
        foreach (var b in token)
            text.Append(CharacterOfByte[b]);
        return text.ToString();
    }

    // As GPT-2's encoder.py has it: bytes that are printable characters of Latin-1 stand for themselves, the others for the characters from
    // U+0100 on, in order.
    private static string[] CharactersOfBytes()
    {
        var characters = new string[256];
        var next = 256;
        for (var b = 0; b < characters.Length; b++)
            characters[b] = ((char)(b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF ? b : next++)).ToString();
        return characters;
    }
}
