using System.Text.Json.Nodes;

namespace Elastic.Host.Serving;

/// <summary>How the API writes a text that was asked for: as a text, or as a message of a conversation.</summary>
internal abstract class AnswerForm
{
    /// <summary>The form of <c>/v1/completions</c>.</summary>
    public static AnswerForm Text { get; } = new TextForm();

    /// <summary>The form of <c>/v1/chat/completions</c>.</summary>
    public static AnswerForm Chat { get; } = new ChatForm();

    /// <summary>What ids begin with.</summary>
    public abstract string Prefix { get; }

    /// <summary>What the whole answer is called.</summary>
    public abstract string Whole { get; }

    /// <summary>What an event of a stream is called.</summary>
    public abstract string Piece { get; }

    /// <summary>The fields of a whole text.</summary>
    public abstract JsonObject OfWhole(string text);

    /// <summary>The fields of a piece of one.</summary>
    /// <param name="isFirst">It is the first one of its text.</param>
    public abstract JsonObject OfPiece(string text, bool isFirst);

    private sealed class TextForm : AnswerForm
    {
        public override string Prefix => "cmpl-";

        public override string Whole => "text_completion";

        public override string Piece => Whole;

        public override JsonObject OfWhole(string text) => new() { ["text"] = text };

        public override JsonObject OfPiece(string text, bool isFirst) => OfWhole(text);
    }

    private sealed class ChatForm : AnswerForm
    {
        public override string Prefix => "chatcmpl-";

        public override string Whole => "chat.completion";

        public override string Piece => "chat.completion.chunk";

        public override JsonObject OfWhole(string text) => new()
        {
            ["message"] = new JsonObject { ["role"] = Corpus.ChatMessage.Assistant, ["content"] = text, ["refusal"] = null },
        };

        public override JsonObject OfPiece(string text, bool isFirst)
        {
            var delta = new JsonObject();
            if (isFirst)
                delta["role"] = Corpus.ChatMessage.Assistant;
            delta["content"] = text;
            return new() { ["delta"] = delta };
        }
    }
}
