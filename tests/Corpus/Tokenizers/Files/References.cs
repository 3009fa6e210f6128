using System.Text;
using System.Text.Json.Nodes;
using ReferenceTokenizer = Tokenizers.DotNet.Tokenizer;

namespace Elastic.Corpus.Tests;

/// <summary>One tokenizer.json, opened by Elastic and by the library that the format comes from.</summary>
internal sealed class References : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ReferenceTokenizer _reference;

    public References(JsonNode json)
    {
        var endOfText = json["added_tokens"]!.AsArray().Where(t => t!["special"]!.GetValue<bool>()).Max(t => t!["id"]!.GetValue<int>());
        var path = _folder.Write("tokenizer.json", json.ToJsonString());
        _reference = new ReferenceTokenizer(path);
        Ours = FileTokenizer.Open(new TokenizerFile(File.ReadAllBytes(path), endOfText, path));
    }

    public FileTokenizer Ours { get; }

    public void Dispose()
    {
        _reference.Dispose();
        _folder.Dispose();
    }

    /// <summary>The reference finds special tokens in the text and adds those of the template.</summary>
    public int[] Expected(string text) => [.. _reference.Encode(Whole(text)).Select(t => (int)t)];

    public void Same(string text)
    {
        var expected = Expected(text);
        Assert.Equal(expected, Ours.EncodeWithSpecialTokens(text).Tokens);
        Assert.Equal(_reference.Decode([.. expected.Select(t => (uint)t)]), Ours.Decode(expected));
    }

    // The other side takes UTF-16 and would refuse half a character.
    private static string Whole(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
