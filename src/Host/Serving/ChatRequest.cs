using System.Text.Json;
using Elastic.Host.Generation;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Serving;

/// <summary>What <c>POST /v1/chat/completions</c> asks for: the answer to a conversation, which is a completion of its template.</summary>
internal static class ChatRequest
{
    // Fields that change the answer and are not served: to ignore them would answer another question.
    private static readonly string[] Refused =
        ["tools", "functions", "function_call", "response_format", "logit_bias", "logprobs", "top_logprobs", "modalities", "audio"];

    /// <summary>Reads a request.</summary>
    /// <param name="chat">How the model talks; null where that is not known.</param>
    /// <param name="chance">Draws the seed of a request that has none.</param>
    /// <exception cref="ApiException">Something is wrong with it: says what, and what to do.</exception>
    public static CompletionRequest Parse(JsonElement body, TextModel model, ModelChat? chat, ServeLimits limits, Random chance)
    {
        var fields = new RequestFields(body);
        CompletionRequest.CheckModel(fields, model);
        if (chat is null)
            throw new ApiException(
                StatusCodes.Status404NotFound,
                $"\"{model.ServedName}\" has no chat template: use /v1/completions, or start the server with {ModelChat.Advice}",
                code: "no_chat_template");
        foreach (var refused in Refused)
            if (fields.Find(refused) is { } value && !IsUsual(refused, value))
                throw CompletionRequest.NotServed(refused);
        var prompt = PromptOf(fields, chat);
        var count = (int)(fields.Integer("n", 1, limits.TextsOfRequest) ?? 1);
        return new CompletionRequest
        {
            Prompts = [prompt],
            Count = count,
            // Newer clients use the longer name. An answer without a bound may fill the context.
            Tokens = CompletionRequest.TokensOf(
                fields, fields.Find("max_completion_tokens") is null ? "max_tokens" : "max_completion_tokens", prompt.Count,
                model.Architecture.Context, otherwise: int.MaxValue),
            Sampling = CompletionRequest.SamplingOf(fields, chance),
            Stops = [.. CompletionRequest.StopsOf(fields.Find("stop"), limits), .. chat.Stops],
            End = chat.End,
            Form = AnswerForm.Chat,
            Echoes = false,
            Likeliest = null,
            Streams = fields.Flag("stream"),
            StreamsUsage = CompletionRequest.StreamsUsageOf(fields),
        };
    }

    // What asks for nothing else than what is served.
    private static bool IsUsual(string name, JsonElement value) => name switch
    {
        "response_format" => value.ValueKind == JsonValueKind.Object && value.TryGetProperty("type", out var type)
            && type.ValueKind == JsonValueKind.String && type.ValueEquals("text"),
        "modalities" => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 1
            && value[0].ValueKind == JsonValueKind.String && value[0].ValueEquals("text"),
        _ => value.ValueKind == JsonValueKind.False || CompletionRequest.IsEmpty(value),
    };

    private static List<int> PromptOf(RequestFields fields, ModelChat chat)
    {
        try
        {
            return fields.Find("messages") is { } messages ? chat.Prompt(ChatMessages.Parse(messages))
                : throw new FormatException("messages are missing: use [{\"role\": \"user\", \"content\": \"...\"}]");
        }
        catch (FormatException e)
        {
            throw ApiException.Invalid("messages", e.Message);
        }
    }
}
