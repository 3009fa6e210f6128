using System.Globalization;
using System.Text;
using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Reads a tokenizer as it is published: <c>tokenizer.json</c>, or the files of older tokenizers, from which the same is made; and beside
/// it <c>tokenizer_config.json</c> or <c>special_tokens_map.json</c>, which say which token ends a text.
/// </summary>
internal static class TokenizerFolder
{
    private const string VocabularyJson = "vocab.json", Merges = "merges.txt", VocabularyText = "vocab.txt";
    internal const string Config = "tokenizer_config.json";
    private const string SpecialTokens = "special_tokens_map.json", AddedTokens = "added_tokens.json";

    private static readonly string[] NamedTokens = ["bos_token", "eos_token", "unk_token", "pad_token"];

    // Ends of text of published tokenizers, for files that come without a word about them.
    private static readonly string[] UsualEnds = ["<|endoftext|>", "</s>", "<|end_of_text|>", "<eos>", "<|im_end|>", "[SEP]"];

    /// <exception cref="ElasticException">There is no tokenizer at the path, or which token ends a document is not said.</exception>
    public static TokenizerFile Read(string path)
    {
        var full = Path.GetFullPath(path);
        var isFolder = Directory.Exists(full);
        if (!isFolder && !File.Exists(full))
            throw new ElasticException(
                $"there is no tokenizer \"{OneLine.Of(path, 200)}\": use corpus.tokenizer = byte or gpt2, or the path of a folder or of a "
                + $"{TokenizerFile.FileName}");
        var folder = isFolder ? full : Path.GetDirectoryName(full)!;
        var file = isFolder ? FileIn(full) : Path.GetFileName(full);
        var json = file switch
        {
            VocabularyJson or Merges => FromVocabularyAndMerges(folder),
            VocabularyText => FromVocabulary(folder),
            _ => ReadFile(Path.Combine(folder, file)),
        };
        var source = Path.Combine(folder, file);
        using var document = TokenizerFile.Parse(json, source);
        return new TokenizerFile(json, EndOfText(new JsonPart(document.RootElement, "", source), folder), source);
    }

    /// <summary>Whether a folder has a file that <see cref="Read"/> begins with.</summary>
    public static bool HoldsTokenizer(string folder) => FirstFileIn(folder) is not null;

    private static string? FirstFileIn(string folder) =>
        Array.Find([TokenizerFile.FileName, VocabularyJson, VocabularyText], name => File.Exists(Path.Combine(folder, name)));

    private static string FileIn(string folder) => FirstFileIn(folder)
        ?? throw new ElasticException(
            $"the folder {folder} holds no tokenizer: it needs a {TokenizerFile.FileName}, a {VocabularyJson} "
            + $"with {Merges}, or a {VocabularyText}");

    internal static byte[] ReadFile(string path)
    {
        try
        {
            return new FileInfo(path).Length > FileTokenizer.LargestFile
                ? throw new ElasticException($"{path} has more than {FileTokenizer.LargestFile >> 20} MiB: no tokenizer has")
                : RegularFile.Read(path, FileTokenizer.LargestFile);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"{path} cannot be read ({e.Message.TrimEnd('.')}): mend that, or name another tokenizer", e);
        }
    }

    // A byte-level BPE as GPT-2 has it, or Qwen.
    private static byte[] FromVocabularyAndMerges(string folder)
    {
        foreach (var name in (string[])[VocabularyJson, Merges])
            if (!File.Exists(Path.Combine(folder, name)))
                throw new ElasticException(
                    $"{Path.Combine(folder, name)} is missing: a byte-level BPE needs {VocabularyJson} and {Merges}");
        using var vocabulary = TokenizerFile.Parse(ReadFile(Path.Combine(folder, VocabularyJson)), Path.Combine(folder, VocabularyJson));
        using var config = Beside(folder, Config);
        var root = Part(config, folder, Config);
        var kind = root?.FindText("tokenizer_class")?.Replace("TokenizerFast", "Tokenizer", StringComparison.Ordinal);
        var words = kind switch
        {
            null or "GPT2Tokenizer" => TokenizerJson.Words.Gpt2,
            "Qwen2Tokenizer" => TokenizerJson.Words.Qwen2,
            _ => throw root!.Value.Wrong(
                $"names a tokenizer_class {OneLine.Of(kind, 60)}, of which {VocabularyJson} and {Merges} do not say all: "
                + $"get its {TokenizerFile.FileName}"),
        };
        var vocab = new JsonPart(vocabulary.RootElement, "", Path.Combine(folder, VocabularyJson));
        var tokens = vocab.Properties()
            .Select(p => (Text: p.Name, Number: p.Value.AsNumber(0, Messages.Settings.ModelSettings.MostVocabulary - 1))).ToList();
        if (tokens.GroupBy(t => t.Text, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw vocab.Wrong($"has the token \"{OneLine.Of(twice.Key, 60)}\" twice");
        var pairs = Encoding.UTF8.GetString(ReadFile(Path.Combine(folder, Merges))).Split('\n')
            .Where((line, i) => !(i == 0 && line.StartsWith("#version", StringComparison.Ordinal)))
            .Select(line => line.TrimEnd('\r')).Where(line => line.Length > 0).Select(Pair).ToList();
        var added = AddedTokensOf(folder, root, tokens);
        return TokenizerJson.ByteLevelBpe(tokens, pairs, added, words, root?.Flag("add_prefix_space", false) ?? false);

        (string, string) Pair(string line) => line.Split(' ') is [var left, var right]
            ? (left, right)
            : throw new ElasticException(
                $"{Path.Combine(folder, Merges)}: \"{OneLine.Of(line, 60)}\" is not two tokens with a space between them");
    }

    // Tokens beyond the vocabulary, whose text marks something unless the configuration says that it is text (Qwen's <tool_call>), and what
    // the configuration calls the end or the beginning of a text.
    private static List<(string Text, int Number, bool IsSpecial)> AddedTokensOf(
        string folder, JsonPart? root, List<(string Text, int Number)> tokens)
    {
        using var map = Beside(folder, SpecialTokens);
        using var older = Beside(folder, AddedTokens);
        var numbers = tokens.ToDictionary(t => t.Text, t => t.Number, StringComparer.Ordinal);
        foreach (var (name, number) in Part(older, folder, AddedTokens)?.Properties() ?? [])
            numbers.TryAdd(name, number.AsNumber(0, Messages.Settings.ModelSettings.MostVocabulary - 1));
        var ordinary = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, token) in root?.Find("added_tokens_decoder")?.Properties() ?? [])
        {
            if (!token.Flag("special", false))
                ordinary.Add(token.Text("content"));
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                numbers.TryAdd(token.Text("content"), number);
        }
        string?[] named =
        [
            .. new[] { root, Part(map, folder, SpecialTokens) }.SelectMany(
                part => NamedTokens.Select(name => Content(part, name))),
            .. UsualEnds,
        ];
        return [.. numbers.Where(n => named.Contains(n.Key) || n.Value >= tokens.Count)
            .Select(n => (n.Key, n.Value, named.Contains(n.Key) || !ordinary.Contains(n.Key))).OrderBy(n => n.Value)];
    }

    // WordPiece as BERT has it: a token a line.
    private static byte[] FromVocabulary(string folder)
    {
        var lines = Encoding.UTF8.GetString(ReadFile(Path.Combine(folder, VocabularyText))).Split('\n')
            .Select(l => l.TrimEnd('\r')).ToList();
        if (lines is [.., ""])
            lines.RemoveAt(lines.Count - 1);
        using var config = Beside(folder, Config);
        var root = Part(config, folder, Config);
        var lower = root?.Flag("do_lower_case", true) ?? true;
        return TokenizerJson.WordPiece(
            lines, lower, root?.Find("strip_accents") is { } strips ? strips.Element.ValueKind == JsonValueKind.True : null,
            root?.Flag("tokenize_chinese_chars", true) ?? true, Path.Combine(folder, VocabularyText));
    }

    private static int EndOfText(JsonPart root, string folder)
    {
        using var config = Beside(folder, Config);
        using var map = Beside(folder, SpecialTokens);
        foreach (var name in (string[])["eos_token", "sep_token"])
            foreach (var part in (JsonPart?[])[Part(config, folder, Config), Part(map, folder, SpecialTokens)])
                if (Content(part, name) is { } content)
                    return NumberOf(root, content) ?? throw part!.Value.Wrong(
                        $"names \"{OneLine.Of(content, 60)}\" as its {name}, which {root.File} does not have");
        var added = (root.Find("added_tokens")?.Items() ?? []).Where(t => t.Flag("special", false)).Select(AddedToken.Of).ToList();
        return added.FindAll(t => UsualEnds.Contains(t.Content)) is [var only]
            ? only.Number
            : throw new ElasticException(
                $"{root.File} does not say which token ends a document: put a {Config} beside it "
                + $"that does, e.g. {{\"eos_token\": \"</s>\"}}");
    }

    private static int? NumberOf(JsonPart root, string content)
    {
        foreach (var token in root.Find("added_tokens")?.Items() ?? [])
            if (token.FindText("content") == content)
                return token.Number("id", 0, int.MaxValue);
        return root.Need("model").Find("vocab") is { Element.ValueKind: JsonValueKind.Object } vocabulary
            && vocabulary.Element.TryGetProperty(content, out var number)
            ? new JsonPart(number, "model.vocab", root.File).AsNumber(0, int.MaxValue) : null;
    }

    // A token is a text, or an object that has it.
    internal static string? Content(JsonPart? part, string name) => part?.Find(name) is not { } token ? null
        : token.Element.ValueKind == JsonValueKind.Object ? token.Text("content") : token.AsText();

    internal static JsonDocument? Beside(string folder, string name) =>
        Path.Combine(folder, name) is var path && File.Exists(path) ? TokenizerFile.Parse(ReadFile(path), path) : null;

    internal static JsonPart? Part(JsonDocument? document, string folder, string name) =>
        document is null ? null : new JsonPart(document.RootElement, "", Path.Combine(folder, name));
}
