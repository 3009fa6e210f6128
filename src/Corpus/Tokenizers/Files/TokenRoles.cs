using System.Text.Json;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>
/// What the folder that a tokenizer came from says of its tokens beside the tokenizer itself: programs fill up, begin and stop by it. A
/// run keeps the tokenizer alone.
/// </summary>
public sealed class TokenRoles
{
    private const string Generation = "generation_config.json";

    private static readonly string[] Roles = ["bos_token", "unk_token", "pad_token", "mask_token", "cls_token", "sep_token"];

    private TokenRoles()
    {
    }

    /// <summary>Nothing.</summary>
    public static TokenRoles None { get; } = new();

    /// <summary>Texts of tokens by role, as "pad_token"; without the end of text, which the tokenizer knows.</summary>
    public IReadOnlyDictionary<string, string> Texts { get; private init; } = new Dictionary<string, string>();

    /// <summary>The token that begins a text; null where the folder does not say.</summary>
    public int? Beginning { get; private init; }

    /// <summary>The tokens with which generated text ends.</summary>
    public IReadOnlyList<int> Ends { get; private init; } = [];

    /// <summary>The roles in a folder; none where it is not there, or has another tokenizer.</summary>
    /// <exception cref="Foundation.ElasticException">A file of it cannot be read.</exception>
    public static TokenRoles Of(string folder, Tokenizer tokenizer)
    {
        if (tokenizer is not FileTokenizer given || !Directory.Exists(folder) || !TokenizerFolder.HoldsTokenizer(folder)
            || TokenizerFolder.Read(folder).Id != given.Id)
            return None;
        using var config = TokenizerFolder.Beside(folder, TokenizerFolder.Config);
        using var generation = TokenizerFolder.Beside(folder, Generation);
        var root = TokenizerFolder.Part(config, folder, TokenizerFolder.Config);
        var ends = TokenizerFolder.Part(generation, folder, Generation);
        return new TokenRoles
        {
            Texts = Roles.Select(r => (Role: r, Text: TokenizerFolder.Content(root, r)))
                .Where(r => r.Text is not null && given.SpecialToken(r.Text) is not null).ToDictionary(r => r.Role, r => r.Text!),
            Beginning = Numbers(ends?.Find("bos_token_id"), given).Cast<int?>().FirstOrDefault(),
            Ends = [.. Numbers(ends?.Find("eos_token_id"), given)],
        };
    }

    // One number, or a list of them; those beyond the tokenizer say nothing of it.
    private static IEnumerable<int> Numbers(JsonPart? part, Tokenizer tokenizer) => part is not { } found ? []
        : (found.Element.ValueKind == JsonValueKind.Array ? found.Items() : [found])
            .Select(n => n.AsNumber(0, ModelSettings.MostVocabulary - 1)).Where(n => n < tokenizer.VocabularySize);
}
