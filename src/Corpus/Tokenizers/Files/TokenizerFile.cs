using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>A <c>tokenizer.json</c> and which of its tokens ends a document: all that a <see cref="FileTokenizer"/> is made of.</summary>
/// <param name="Json">The bytes of the file.</param>
/// <param name="EndOfText">The token that ends each document.</param>
/// <param name="Path">Where it came from, for messages.</param>
public sealed partial record TokenizerFile(byte[] Json, int EndOfText, string Path)
{
    /// <summary>The file's name in a tokenizer's folder, in a built corpus and in the folder of a run.</summary>
    public const string FileName = "tokenizer.json";

    // Nested deeper than any sequence of steps in a published file.
    private const int MostDepth = 32;

    /// <summary>SHA-256 of the file.</summary>
    public Digest Sha256 { get; } = Digest.Of(Json);

    /// <summary>
    /// What the tokenizer is called wherever it is compared: by its bytes and its end of text, not by its place. Fits into the header
    /// of a shard.
    /// </summary>
    public string Id => IdOf(Sha256, EndOfText);

    /// <summary>Whether a text is the <see cref="Id"/> of a tokenizer that came from a file.</summary>
    public static bool IsId(string text) => IdForm().IsMatch(text);

    /// <summary>Whether the id is that of a file of these bytes.</summary>
    internal static bool IsIdOf(string id, Digest sha256) => IsId(id) && id == IdOf(sha256, EndOfTextOf(id));

    /// <summary>The tokenizer at a path: a folder, a <c>tokenizer.json</c>, <c>vocab.json</c> with <c>merges.txt</c>, or
    /// <c>vocab.txt</c>.</summary>
    /// <exception cref="ElasticException">There is none, or which token ends a document is not said.</exception>
    public static TokenizerFile Find(string path) => TokenizerFolder.Read(path);

    /// <summary>The copy that a corpus or a run keeps of the tokenizer <paramref name="id"/>.</summary>
    /// <exception cref="ElasticException">It is not there, or is another one.</exception>
    public static TokenizerFile Stored(string folder, string id)
    {
        var path = System.IO.Path.Combine(folder, FileName);
        if (!File.Exists(path))
            throw new ElasticException($"{path} is missing, the tokenizer {id}: copy it from the corpus, or from another node of the run");
        var file = new TokenizerFile(RegularFile.Read(path, FileTokenizer.LargestFile), EndOfTextOf(id), path);
        return file.Id == id ? file : throw new ElasticException(
            $"{path} is the tokenizer {file.Id}, and not {id}: copy the right one there");
    }

    /// <exception cref="ElasticException">The bytes are no JSON.</exception>
    internal static JsonDocument Parse(ReadOnlyMemory<byte> json, string path)
    {
        try
        {
            var text = json.Span.StartsWith("\uFEFF"u8) ? json[3..] : json;
            var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = MostDepth });
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return document;
            document.Dispose();
            throw new ElasticException($"{path} is no tokenizer: it holds no JSON object");
        }
        catch (JsonException e)
        {
            throw new ElasticException($"{path} is no JSON that can be read ({OneLine.Of(e.Message)}): get the file again", e);
        }
    }

    private static string IdOf(Digest sha256, int endOfText) =>
        string.Create(CultureInfo.InvariantCulture, $"json-{sha256.Hex[..32]}-{endOfText}");

    private static int EndOfTextOf(string id) => int.Parse(id[(id.LastIndexOf('-') + 1)..], CultureInfo.InvariantCulture);

    [GeneratedRegex(
        @"\Ajson-[0-9a-f]{32}-[0-9]{1,8}\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex IdForm();
}
