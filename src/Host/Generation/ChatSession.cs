using System.Text;
using System.Text.Json;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Evaluation;

namespace Elastic.Host.Generation;

/// <summary>Conversations with a model on the command line.</summary>
/// <param name="request">How answers are drawn; its prompt is not asked.</param>
/// <param name="notice">Is told what else there is to say.</param>
internal sealed class ChatSession(TextModel model, ModelChat chat, SampleRequest request, TextWriter output, Action<string> notice)
{
    /// <summary>Answers each line with what was said before it, until the lines end.</summary>
    /// <param name="prompt">What is written before a line is read; empty where nobody looks at it.</param>
    public void Talk(BoundedLines lines, string prompt, CancellationToken cancel)
    {
        var messages = new List<ChatMessage>();
        while (true)
        {
            output.Write(prompt);
            output.Flush();
            if (lines.Read() is not { } line)
                return;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            messages.Add(new ChatMessage("user", line));
            var answer = Answer(messages, $"line {lines.Count}", cancel);
            messages.Add(new ChatMessage(ChatMessage.Assistant, answer));
        }
    }

    /// <summary>Answers each conversation of a file: a JSON object with messages a line.</summary>
    /// <exception cref="ElasticException">A line is none; those before it are answered.</exception>
    public void AnswerAll(BoundedLines lines, CancellationToken cancel)
    {
        while (lines.Read() is { } line)
            if (!string.IsNullOrWhiteSpace(line))
                Answer(Read(line, $"--messages, line {lines.Count}"), $"--messages, line {lines.Count}", cancel);
    }

    /// <summary>Answers one message.</summary>
    public void AnswerOne(string message, CancellationToken cancel) => Answer([new ChatMessage("user", message)], "--prompt", cancel);

    private string Answer(IReadOnlyList<ChatMessage> messages, string place, CancellationToken cancel)
    {
        var answer = new StringBuilder();
        try
        {
            var asked = request with { PromptTokens = chat.Prompt(messages), End = chat.End, Stops = [.. request.Stops, .. chat.Stops] };
            SampleText.Stream(model, asked, (_, piece) =>
            {
                answer.Append(piece);
                output.Write(piece);
                output.Flush();
            }, cancel, notice);
        }
        catch (FormatException e)
        {
            throw new ElasticException($"{place}: {e.Message}", e);
        }
        output.WriteLine();
        return answer.ToString();
    }

    private static List<ChatMessage> Read(string line, string place)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("messages", out var messages)
                ? ChatMessages.Parse(messages)
                : throw new FormatException(
                    "there is no field \"messages\": use {\"messages\": [{\"role\": \"user\", \"content\": \"...\"}]}");
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new ElasticException($"{place}: {OneLine.Of(e.Message)}", e);
        }
    }
}
