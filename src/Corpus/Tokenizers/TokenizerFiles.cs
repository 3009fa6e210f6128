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
    private const string ByteLevel = "ByteLevel";

    // The vocabulary of GPT-2's files is JSON for people: it writes characters beyond ASCII as they are.
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // A tokenizer.json does not say which token has which role: what published vocabularies call them.
    private static readonly (string Role, string[] Names)[] Roles =
    [
        ("unk_token", ["[UNK]", "<unk>"]), ("pad_token", ["[PAD]", "<pad>"]), ("mask_token", ["[MASK]", "<mask>"]),
        ("cls_token", ["[CLS]"]), ("sep_token", ["[SEP]"]),
    ];

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
    /// <param name="roles">What the folder says that the tokenizer came from; null for nothing.</param>
    public static IReadOnlyDictionary<string, byte[]> Of(
        Tokenizer tokenizer, int context, ChatFormat? chat = null, TokenRoles? roles = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (tokenizer is FileTokenizer { Source: var source })
            return new Dictionary<string, byte[]>
            {
                [Whole] = source.Json,
                ["tokenizer_config.json"] = Object(json => WriteConfig(json, tokenizer, context, chat, roles)),
            };
        var (tokens, merges) = (TokensOf(tokenizer), MergesOf(tokenizer));
        var files = new Dictionary<string, byte[]>
        {
            [Whole] = Object(json => WriteTokenizer(json, tokenizer, tokens, merges)),
            ["tokenizer_config.json"] = Object(json => WriteConfig(json, tokenizer, context, chat, roles)),
        };
        if (merges.Count > 0)
        {
            files[Vocabulary] = Object(json => WriteVocabulary(json, tokens));
            files[Merges] = Encoding.UTF8.GetBytes($"#version: 0.2\n{string.Join('\n', merges)}\n");
        }

        return files;
    }

    /// <summary>
    /// The tokenizer of a folder: one of those that need no file where its files say no more than that one has; null where it has none.
    /// </summary>
    /// <exception cref="ElasticException">Its files cannot be read, or describe what is not known here.</exception>
    public static Tokenizer? Recognize(string folder)
    {
        if (!TokenizerFolder.HoldsTokenizer(folder))
            return null;
        var file = TokenizerFile.Find(folder);
        using var document = TokenizerFile.Parse(file.Json, file.Path);
        var root = new JsonPart(document.RootElement, "", file.Path);
        return Tokenizer.All.FirstOrDefault(t => t.EndOfText == file.EndOfText && Describes(root, t)) ?? FileTokenizer.Open(file);
    }

    /// <summary>Whether a tokenizer has each token of one that needs no file, by the same number; it may have more.</summary>
    public static bool BeginsWith(FileTokenizer tokenizer, Tokenizer other)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(other);
        return tokenizer.VocabularySize >= other.VocabularySize && tokenizer.TextOf(other.EndOfText) == EndOfText
            && TokensOf(other).Index().All(t => tokenizer.TextOf(t.Index) == t.Item);
    }

    // What is only said in another form may differ (GPT-2's own files and Elastic's do). What would be lost may not: another special token,
    // a step that changes the text, a merge.
    private static bool Describes(JsonPart root, Tokenizer tokenizer)
    {
        var cut = root.Find("pre_tokenizer");
        return root.Find("model") is { } model && model.FindText("type") is null or "BPE"
            && model.Find("vocab") is { } vocabulary && IsVocabularyOf(tokenizer, vocabulary)
            && (root.Find("added_tokens")?.Items() ?? []).Select(AddedToken.Of)
                .All(t => t.IsSpecial && t.Content == EndOfText && t.Number == tokenizer.EndOfText)
            && root.Find("normalizer") is null
            && cut?.FindText("type") == ByteLevel && !cut.Value.Flag("add_prefix_space", true)
            // Without merges there is nothing that words keep apart.
            && (cut.Value.Flag("use_regex", true) || tokenizer is ByteTokenizer)
            && root.Find("post_processor")?.FindText("type") is null or ByteLevel
            && root.Find("decoder")?.FindText("type") is null or ByteLevel
            && model.Find("dropout") is null && !model.Flag("ignore_merges", false)
            && ((string[])["continuing_subword_prefix", "end_of_word_suffix"]).All(name => string.IsNullOrEmpty(model.FindText(name)))
            && (model.Find("merges")?.Items() ?? []).Select(Merge).SequenceEqual(MergesOf(tokenizer));
    }

    // "a b", or ["a", "b"] in newer files.
    private static string Merge(JsonPart merge) =>
        merge.Element.ValueKind == JsonValueKind.Array ? string.Join(' ', merge.Items().Select(t => t.AsText())) : merge.AsText();

    // Each token as the files write it, by its number; without the end of text, which is an added token.
    private static List<string> TokensOf(Tokenizer tokenizer) => tokenizer is Gpt2Tokenizer
        ? [.. Enumerable.Range(0, Gpt2Merges.Count).Select(t => Text(Gpt2Merges.Shared.BytesOf(t)))]
        : [.. CharacterOfByte];

    private static List<string> MergesOf(Tokenizer tokenizer) => tokenizer is Gpt2Tokenizer
        ? [.. Gpt2Merges.Shared.Pairs().Select(p => $"{Text(p.Left)} {Text(p.Right)}")] : [];

    // Files hold the end of text in the vocabulary or apart.
    private static bool IsVocabularyOf(Tokenizer tokenizer, JsonPart vocabulary)
    {
        var (expected, found) = (TokensOf(tokenizer), 0);
        foreach (var (token, number) in vocabulary.Properties())
        {
            var at = number.AsNumber(0, int.MaxValue);
            if (at < expected.Count ? token != expected[at] : at != tokenizer.EndOfText || token != EndOfText)
                return false;
            found += at < expected.Count ? 1 : 0;
        }
        return found == expected.Count;
    }

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
        json.WriteString("type", ByteLevel);
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

    private static void WriteConfig(Utf8JsonWriter json, Tokenizer tokenizer, int context, ChatFormat? chat, TokenRoles? roles)
    {
        if (chat is not null)
            json.WriteString("chat_template", chat.Jinja);
        json.WriteString("tokenizer_class", tokenizer is Gpt2Tokenizer ? "GPT2Tokenizer" : "PreTrainedTokenizerFast");
        json.WriteNumber("model_max_length", context);
        if (tokenizer is FileTokenizer given)
        {
            var said = roles?.Texts ?? TokenRoles.None.Texts;
            if ((chat?.Beginning ?? said.GetValueOrDefault("bos_token")) is { } beginning)
                json.WriteString("bos_token", beginning);
            json.WriteString("eos_token", given.TextOf(given.EndOfText));
            foreach (var (role, names) in Roles)
                if (said.GetValueOrDefault(role) is { } text)
                    json.WriteString(role, text);
                else if (Array.Find(names, n => given.SpecialToken(n) is not null) is { } token)
                    json.WriteString(role, token);
            return;
        }
        json.WriteBoolean("add_prefix_space", false);
        json.WriteString("bos_token", chat?.Beginning ?? EndOfText);
        json.WriteString("eos_token", EndOfText);
        json.WriteString("unk_token", EndOfText);
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
