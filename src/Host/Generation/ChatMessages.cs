using System.Text.Json;
using Elastic.Corpus;
using Elastic.Foundation;

namespace Elastic.Host.Generation;

/// <summary>
/// Reads the messages of a conversation that is to be answered, in the API's form: role and content, which is a text or a list of texts.
/// </summary>
internal static class ChatMessages
{
    // What newer clients call instructions for the model.
    private const string Developer = "developer";

    /// <exception cref="FormatException">They are no messages, or none asks for an answer: says which, and why.</exception>
    public static List<ChatMessage> Parse(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Array || json.GetArrayLength() == 0)
            throw new FormatException("messages are no list of at least one message: use [{\"role\": \"user\", \"content\": \"...\"}]");
        var messages = json.EnumerateArray().Select((message, i) => Message(message, i + 1)).ToList();
        return messages[^1].Role != ChatMessage.Assistant ? messages
            : throw new FormatException($"message {messages.Count}, the last one, is of the assistant: end with what it is to answer");
    }

    private static ChatMessage Message(JsonElement message, int number)
    {
        if (message.ValueKind != JsonValueKind.Object)
            throw new FormatException($"message {number} is no object: use {{\"role\": \"user\", \"content\": \"...\"}}");
        var role = message.TryGetProperty("role", out var named) && named.ValueKind == JsonValueKind.String ? Text(named, number) : "";
        if (role == Developer)
            role = "system";
        return ChatMessage.Roles.Contains(role)
            ? new ChatMessage(role, Content(message, number))
            : throw new FormatException(
                $"message {number} has the role \"{OneLine.Of(role, 40)}\": use one of {string.Join(", ", ChatMessage.Roles)}");
    }

    private static string Content(JsonElement message, int number)
    {
        if (!message.TryGetProperty("content", out var content))
            throw new FormatException($"message {number} has no content: use a text");
        return content.ValueKind switch
        {
            JsonValueKind.String => Text(content, number),
            JsonValueKind.Array => string.Concat(content.EnumerateArray().Select(part => Part(part, number))),
            _ => throw new FormatException($"message {number} has a content that is no text: use a text"),
        };
    }

    private static string Part(JsonElement part, int number) =>
        part.ValueKind == JsonValueKind.Object && part.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String
            ? Text(text, number) : throw new FormatException($"message {number} has a part that is no text: this model reads text only");

    private static string Text(JsonElement text, int number)
    {
        try
        {
            return text.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new FormatException($"message {number} has half of a surrogate pair, which is no character: leave it out", e);
        }
    }
}
