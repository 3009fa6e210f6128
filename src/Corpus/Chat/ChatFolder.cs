using System.Text;
using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>
/// Finds the chat template that comes with a tokenizer: <c>chat_template.jinja</c>, or <c>chat_template</c> in
/// <c>tokenizer_config.json</c>; there <c>bos_token</c> and <c>eos_token</c> are, too.
/// </summary>
public static class ChatFolder
{
    /// <summary>The file in which a corpus, and the folder of a run, keep the template that came with their tokenizer.</summary>
    public const string FileName = TokenizerFolder.Config;

    /// <summary>The file that has nothing but a template, and goes before that one where both are there.</summary>
    public const string TemplateFileName = "chat_template.jinja";

    private const string Key = "chat_template";

    /// <summary>The template of a folder; null where it has none.</summary>
    /// <param name="path">A tokenizer's folder, one of its files, or a template's file.</param>
    /// <param name="tokenizer">Whose special tokens are the template's marks.</param>
    /// <exception cref="ElasticException">The template cannot be read, or says what is not known here.</exception>
    public static ChatFormat? Find(string path, Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        var full = Path.GetFullPath(path);
        var folder = Directory.Exists(full) ? full : Path.GetDirectoryName(full)!;
        var file = full.EndsWith(".jinja", StringComparison.Ordinal) ? full : Path.Combine(folder, TemplateFileName);
        using var config = TokenizerFolder.Beside(folder, TokenizerFolder.Config);
        var root = TokenizerFolder.Part(config, folder, TokenizerFolder.Config);
        var (text, name) = File.Exists(file) ? (Encoding.UTF8.GetString(TokenizerFolder.ReadFile(file)), file)
            : (root is { } part ? TextOf(part) : null, $"{Key} in {Path.Combine(folder, TokenizerFolder.Config)}");
        return text is null ? null : ChatFormat.Of(
            text, name, tokenizer,
            // Those without a file begin a text as they end one: see TokenizerFiles.
            TokenizerFolder.Content(root, "bos_token") ?? (tokenizer is FileTokenizer ? null : TokenizerFiles.EndOfText),
            TokenizerFolder.Content(root, "eos_token") ?? EndOf(tokenizer));
    }

    /// <summary>The copy that the folder of a run keeps of the template that came with its tokenizer.</summary>
    /// <exception cref="ElasticException">It is not there, or cannot be read.</exception>
    public static ChatFormat Stored(string folder, Tokenizer tokenizer) => Find(folder, tokenizer) ?? throw new ElasticException(
        $"{Path.Combine(folder, FileName)} is missing, or has no chat template, as it came with the run's tokenizer "
        + $"(corpus.chat-template = tokenizer): copy it, and {TemplateFileName} where there is one, from the tokenizer's folder, or from "
        + "another node of the run");

    /// <summary>That copy: what <see cref="Find"/> reads.</summary>
    internal static byte[] Write(ChatFormat chat)
    {
        var texts = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            [Key] = chat.Jinja,
            ["bos_token"] = chat.Beginning,
            ["eos_token"] = chat.End,
        };
        return JsonSerializer.SerializeToUtf8Bytes(texts.Where(t => t.Value is not null).ToDictionary());
    }

    // A text, or several with names, of which the one that is meant for conversations is called "default".
    private static string? TextOf(JsonPart config)
    {
        if (config.Find(Key) is not { } template)
            return null;
        if (template.Element.ValueKind != JsonValueKind.Array)
            return template.AsText();
        List<JsonPart> all = [.. template.Items()];
        return all.Find(t => t.FindText("name") == "default") is { File: not null } chosen
            ? chosen.Text("template") : throw template.Wrong("has no template called \"default\"");
    }

    private static string EndOf(Tokenizer tokenizer) =>
        (tokenizer as FileTokenizer)?.TextOf(tokenizer.EndOfText) ?? TokenizerFiles.EndOfText;
}
