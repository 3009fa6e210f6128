using System.Text.Json.Nodes;
using Elastic.Corpus;
using Elastic.Host.Display;
using Elastic.Model.Generation;

namespace Elastic.Host.Serving;

/// <summary>A token of an answer, for its <c>logprobs</c>.</summary>
/// <param name="Previous">The token before it, without which many decoders write no space in front; null at the beginning.</param>
/// <param name="Offset">Characters (code points) of the prompt and the text before it; inside of a character, where that begins.</param>
internal sealed record TokenLog(int Token, int? Previous, int Offset, TokenProbabilities Probabilities);

/// <summary>The API's <c>logprobs</c>: lists with an entry for each token.</summary>
internal static class TokenLogs
{
    /// <summary>The object; null where no log-probabilities were asked for.</summary>
    /// <param name="logs">Null where none were asked for.</param>
    public static JsonObject? Json(IReadOnlyCollection<TokenLog>? logs, Tokenizer tokenizer) => logs is null ? null : new JsonObject
    {
        ["tokens"] = new JsonArray([.. logs.Select(l => (JsonNode)TextOf(l.Token, l.Previous, tokenizer))]),
        ["token_logprobs"] = new JsonArray([.. logs.Select(l => JsonNumber.Finite(l.Probabilities.OfToken))]),
        ["top_logprobs"] = new JsonArray([.. logs.Select(l => (JsonNode)Likeliest(l, tokenizer))]),
        ["text_offset"] = new JsonArray([.. logs.Select(l => (JsonNode)l.Offset)]),
    };

    // By their texts, as the API has them. Of tokens with one text (parts of characters) the likeliest counts; the one that was drawn is
    // always there, so that there may be one more than was asked for.
    private static JsonObject Likeliest(TokenLog log, Tokenizer tokenizer)
    {
        var json = new JsonObject();
        foreach (var (token, logProbability) in log.Probabilities.Likeliest.Prepend((log.Token, log.Probabilities.OfToken))
            .OrderByDescending(t => t.Item2))
            json.TryAdd(TextOf(token, log.Previous, tokenizer), JsonNumber.Finite(logProbability));
        return json;
    }

    // A part of a character is U+FFFD, and an end of text is empty.
    private static string TextOf(int token, int? previous, Tokenizer tokenizer)
    {
        if (previous is not { } before)
            return tokenizer.Decode([token]);
        var (context, text) = (tokenizer.Decode([before]), tokenizer.Decode([before, token]));
        return !context.EndsWith('\uFFFD') && text.StartsWith(context, StringComparison.Ordinal)
            ? text[context.Length..] : tokenizer.Decode([token]);
    }
}
