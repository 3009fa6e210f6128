using System.Text;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>What a piece of a written-down conversation is.</summary>
public enum ChatPieceKind
{
    /// <summary>Text that is tokenized by itself.</summary>
    Text,

    /// <summary>A mark of the template: the tokenizer's special token of that text where it has one, else that text.</summary>
    Mark,

    /// <summary>The tokenizer's end of text.</summary>
    EndOfText,
}

/// <summary>A piece of a written-down conversation.</summary>
/// <param name="IsCounted">The model is scored on it: it belongs to what the assistant says, or ends it.</param>
public sealed record ChatPiece(ChatPieceKind Kind, string Text, bool IsCounted);

/// <summary>A message of a conversation.</summary>
/// <param name="Role">system, user or assistant.</param>
internal readonly record struct ChatMessage(string Role, string Content)
{
    public const string Assistant = "assistant";

    /// <summary>The roles that a template can write.</summary>
    public static IReadOnlyList<string> Roles { get; } = ["system", "user", Assistant];

    public bool IsAssistant => Role == Assistant;
}

/// <summary>
/// Writes conversations down. A text ends where what is scored begins or ends, so that no token spans the border; other texts that follow
/// each other are one. What people have written is text and never a mark.
/// </summary>
internal static class Conversation
{
    /// <summary>The pieces of a conversation, in order.</summary>
    public static IReadOnlyList<ChatPiece> Write(ChatTemplate template, IReadOnlyList<ChatMessage> messages)
    {
        var pieces = new Pieces();
        if (template == ChatTemplate.Llama3)
            pieces.Mark("<|begin_of_text|>");
        foreach (var message in messages)
            switch (template)
            {
                case ChatTemplate.Chatml:
                    pieces.Mark("<|im_start|>");
                    pieces.Text($"{message.Role}\n");
                    pieces.Text(message.Content, message.IsAssistant);
                    pieces.Mark("<|im_end|>", message.IsAssistant);
                    pieces.Text("\n");
                    break;
                case ChatTemplate.Llama3:
                    pieces.Mark("<|start_header_id|>");
                    pieces.Text(message.Role);
                    pieces.Mark("<|end_header_id|>");
                    pieces.Text("\n\n");
                    pieces.Text(message.Content.Trim(), message.IsAssistant);
                    pieces.Mark("<|eot_id|>", message.IsAssistant);
                    break;
                default:
                    WritePlain(pieces, message);
                    break;
            }
        return pieces.Complete();
    }

    // The space before an answer belongs to it, as tokenizers have it. The last end of text is that of the document.
    private static void WritePlain(Pieces pieces, ChatMessage message)
    {
        if (!message.IsAssistant)
        {
            pieces.Text($"{(message.Role == "user" ? "User: " : "")}{message.Content}\n");
            return;
        }
        pieces.Text("Assistant:");
        pieces.Text($" {message.Content}", isCounted: true);
        pieces.EndOfText();
    }

    private sealed class Pieces
    {
        private readonly List<ChatPiece> _pieces = [];
        private readonly StringBuilder _text = new();
        private bool _isCounted;

        public void Text(string text, bool isCounted = false)
        {
            if (isCounted != _isCounted)
                End();
            _isCounted = isCounted;
            _text.Append(text);
        }

        public void Mark(string text, bool isCounted = false)
        {
            End();
            _pieces.Add(new ChatPiece(ChatPieceKind.Mark, text, isCounted));
        }

        public void EndOfText()
        {
            End();
            _pieces.Add(new ChatPiece(ChatPieceKind.EndOfText, "", true));
        }

        public List<ChatPiece> Complete()
        {
            End();
            return _pieces;
        }

        private void End()
        {
            if (_text.Length > 0)
                _pieces.Add(new ChatPiece(ChatPieceKind.Text, _text.ToString(), _isCounted));
            _text.Clear();
        }
    }
}
