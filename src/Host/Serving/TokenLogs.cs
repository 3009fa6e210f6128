using System.Text.Json.Nodes;
using Elastic.Host.Display;
using Elastic.Host.Generation;
using Elastic.Model.Generation;

namespace Elastic.Host.Serving;

/// <summary>A token of an answer, for its <c>logprobs</c>.</summary>
/// <param name="Before">What is before it.</param>
/// <param name="Offset">Characters (code points) of the prompt and the text before it; inside of a character, where that begins.</param>
internal sealed record TokenLog(int Token, TokenContext Before, int Offset, TokenProbabilities Probabilities)
{
    /// <summary>Its text, or that of another token in its place. A part of a character is U+FFFD, and an end of text is empty.</summary>
    public string TextOf(int token) => Before.TextOf([token]);
}

/// <summary>The API's <c>logprobs</c>: lists with an entry for each token.</summary>
internal static class TokenLogs
{
    /// <summary>The object; null where no log-probabilities were asked for.</summary>
    /// <param name="logs">Null where none were asked for.</param>
    public static JsonObject? Json(IReadOnlyCollection<TokenLog>? logs) => logs is null ? null : new JsonObject
    {
        ["tokens"] = new JsonArray([.. logs.Select(l => (JsonNode)l.TextOf(l.Token))]),
        ["token_logprobs"] = new JsonArray([.. logs.Select(l => JsonNumber.Finite(l.Probabilities.OfToken))]),
        ["top_logprobs"] = new JsonArray([.. logs.Select(l => (JsonNode)Likeliest(l))]),
        ["text_offset"] = new JsonArray([.. logs.Select(l => (JsonNode)l.Offset)]),
    };

    // By their texts, as the API has them. Of tokens with one text (parts of characters) the likeliest counts; the one that was drawn is
    // always there, so that there may be one more than was asked for.
    private static JsonObject Likeliest(TokenLog log)
    {
        var json = new JsonObject();
        foreach (var (token, logProbability) in log.Probabilities.Likeliest.Prepend((log.Token, log.Probabilities.OfToken))
            .OrderByDescending(t => t.Item2))
            json.TryAdd(log.TextOf(token), JsonNumber.Finite(logProbability));
        return json;
    }
}
