using System.Globalization;
using System.Text.Json;
using Elastic.Foundation;
using Elastic.Host.Generation;
using Elastic.Model.Generation;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Serving;

/// <summary>What <c>POST /v1/completions</c> asks for, checked.</summary>
internal sealed record CompletionRequest
{
    private const int DefaultTokens = 16;     // the API's
    private const int MostLikeliest = 5;      // the API's, too

    // Fields that change the answer and are not served: to ignore them would answer another question.
    private static readonly string[] Refused = ["suffix", "logit_bias"];

    /// <summary>Tokens of each prompt, at least one.</summary>
    public required IReadOnlyList<IReadOnlyList<int>> Prompts { get; init; }

    /// <summary>Texts for each prompt.</summary>
    public required int Count { get; init; }

    /// <summary>The most tokens of each text.</summary>
    public required int Tokens { get; init; }

    /// <summary>How the first text of each prompt is sampled.</summary>
    public required SamplingSettings Sampling { get; init; }

    public required IReadOnlyList<string> Stops { get; init; }

    /// <summary>A token that ends a text besides the end of text; null for none.</summary>
    public int? End { get; init; }

    /// <summary>How the answer is written.</summary>
    public AnswerForm Form { get; init; } = AnswerForm.Text;

    /// <summary>The prompt is part of the text that is sent.</summary>
    public required bool Echoes { get; init; }

    /// <summary>How many of the likeliest tokens are said with each one; null for no log-probabilities.</summary>
    public required int? Likeliest { get; init; }

    /// <summary>Pieces are sent as they come.</summary>
    public required bool Streams { get; init; }

    /// <summary>The last piece of a stream says how many tokens there were.</summary>
    public required bool StreamsUsage { get; init; }

    /// <summary>The texts to write, those of the first prompt first.</summary>
    public IReadOnlyList<TextJob> Jobs() =>
    [
        .. Prompts.SelectMany(p => Enumerable.Range(0, Count).Select(
            i => new TextJob(p, Tokens, Sampling with { Sample = i }, Likeliest) { End = End })),
    ];

    /// <summary>Reads a request.</summary>
    /// <param name="chance">Draws the seed of a request that has none.</param>
    /// <exception cref="ApiException">Something is wrong with it: says what, and what to do.</exception>
    public static CompletionRequest Parse(JsonElement body, TextModel model, ServeLimits limits, Random chance)
    {
        var fields = new RequestFields(body);
        CheckModel(fields, model);
        foreach (var refused in Refused)
        {
            if (fields.Find(refused) is { } value && value.ValueKind is not JsonValueKind.False && !IsEmpty(value))
                throw NotServed(refused);
        }
        var count = (int)(fields.Integer("n", 1, limits.TextsOfRequest) ?? 1);
        if (fields.Integer("best_of", 1, limits.TextsOfRequest) is { } best && best != count)
            throw ApiException.Invalid("best_of", $"best_of = {best} is not served here: leave it out, and use n", "unsupported_parameter");
        var prompts = PromptsOf(fields.Find("prompt"), model, count, limits);
        var likeliest = LikeliestOf(fields);
        if (likeliest is not null && fields.Flag("echo"))
            throw ApiException.Invalid(
                "logprobs", "logprobs with echo is not served here, the prompt's are not computed: leave out one of the two",
                "unsupported_parameter");
        return new CompletionRequest
        {
            Prompts = prompts,
            Count = count,
            Tokens = TokensOf(fields, "max_tokens", prompts.Max(p => p.Count), model.Architecture.Context, DefaultTokens),
            Sampling = SamplingOf(fields, chance),
            Stops = StopsOf(fields.Find("stop"), limits),
            Echoes = fields.Flag("echo"),
            Likeliest = likeliest,
            Streams = fields.Flag("stream"),
            StreamsUsage = StreamsUsageOf(fields),
        };
    }

    /// <summary>Another model than the one that is served was asked for.</summary>
    public static ApiException UnknownModel(string name, TextModel model) => new(
        StatusCodes.Status404NotFound, $"the model \"{OneLine.Of(name, 100)}\" is not served here: use \"{model.ServedName}\"", "model",
        "model_not_found");

    /// <summary>A field that changes the answer, and is not served.</summary>
    internal static ApiException NotServed(string field) =>
        ApiException.Invalid(field, $"{field} is not served here: leave it out", "unsupported_parameter");

    /// <exception cref="ApiException">Another model than the one that is served is asked for.</exception>
    internal static void CheckModel(RequestFields fields, TextModel model)
    {
        if (fields.Find("model") is { } asked && RequestFields.Text("model", asked) is var name && name != model.ServedName)
            throw UnknownModel(name, model);
    }

    internal static SamplingSettings SamplingOf(RequestFields fields, Random chance) => new(
        fields.Number("temperature", 1, 0, 2), 0, fields.Number("top_p", 1, 0, 1),
        unchecked((ulong)(fields.Integer("seed", long.MinValue, long.MaxValue) ?? chance.NextInt64())))
    {
        FrequencyPenalty = fields.Number("frequency_penalty", 0, -2, 2),
        PresencePenalty = fields.Number("presence_penalty", 0, -2, 2),
    };

    internal static bool StreamsUsageOf(RequestFields fields) =>
        fields.Find("stream_options") is { } options && new RequestFields(options).Flag("include_usage") && fields.Flag("stream");

    internal static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.String => value.ValueEquals(""),
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };

    // false is what some clients send for none.
    private static int? LikeliestOf(RequestFields fields) => fields.Find("logprobs") is { ValueKind: JsonValueKind.False }
        ? null : (int?)fields.Integer("logprobs", 0, MostLikeliest);

    /// <param name="otherwise">The most tokens where the field is missing, as far as there is room.</param>
    internal static int TokensOf(RequestFields fields, string field, int prompt, int context, int otherwise)
    {
        var left = context - prompt;
        var tokens = fields.Integer(field, 1, int.MaxValue) ?? Math.Min(otherwise, left);
        if (left < 1 || tokens > left)
        {
            throw ApiException.Invalid(field, string.Create(
                CultureInfo.InvariantCulture,
                $"the model's context is {context} tokens, and {prompt} of the prompt and {Math.Max(tokens, 1)} of the text are more: ")
                + (left < 1 ? "shorten the prompt" : $"shorten the prompt, or use {field} = {left} at most"),
                "context_length_exceeded");
        }
        return (int)tokens;
    }

    // A string, strings, tokens, or lists of tokens. Without any a document begins.
    private static List<IReadOnlyList<int>> PromptsOf(JsonElement? prompt, TextModel model, int count, ServeLimits limits)
    {
        if (prompt is not { } value)
            return [model.Encode("")];
        if (value.ValueKind != JsonValueKind.Array)
            return [model.Encode(RequestFields.Text("prompt", value))];
        if (value.GetArrayLength() == 0)
            throw ApiException.Invalid("prompt", "prompt is an empty list: use at least one prompt, or one token");
        if (value[0].ValueKind == JsonValueKind.Number)
            return [TokensOf(value, model)];
        // Before any of them is tokenized.
        if (value.GetArrayLength() is var prompts && prompts * (long)count > limits.TextsOfRequest)
        {
            throw ApiException.Invalid(
                "n", $"{prompts} prompts times n = {count} are more than {limits.TextsOfRequest} texts: send several requests");
        }
        return value[0].ValueKind switch
        {
            JsonValueKind.Array => [.. value.EnumerateArray().Select(p => TokensOf(p, model))],
            _ => [.. value.EnumerateArray().Select(p => model.Encode(RequestFields.Text("prompt", p)))],
        };
    }

    private static List<int> TokensOf(JsonElement list, TextModel model)
    {
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
            throw RequestFields.Wrong("prompt", list, "a string, a list of strings, a list of tokens or a list of such lists");
        return
        [
            .. list.EnumerateArray().Select(e =>
                e.ValueKind == JsonValueKind.Number && e.TryGetInt32(out var token) && token >= 0 && token < model.Tokenizer.VocabularySize
                    ? token
                    : throw RequestFields.Wrong("prompt", e, $"tokens from 0 to {model.Tokenizer.VocabularySize - 1}")),
        ];
    }

    internal static List<string> StopsOf(JsonElement? stop, ServeLimits limits)
    {
        if (stop is not { } value)
            return [];
        List<string> stops = value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(s => RequestFields.Text("stop", s))] : [RequestFields.Text("stop", value)];
        if (stops.Count > limits.Stops)
            throw ApiException.Invalid("stop", $"stop has {stops.Count} strings: use at most {limits.Stops}");
        return stops.TrueForAll(s => s.Length > 0 && s.Length <= limits.StopLength)
            ? stops
            : throw ApiException.Invalid("stop", $"stop: use strings of 1 to {limits.StopLength} characters");
    }
}
