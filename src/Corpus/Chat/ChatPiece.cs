using System.Text;

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
public sealed record ChatPiece(ChatPieceKind Kind, string Text, bool IsCounted)
{
    /// <summary>Appends its tokens.</summary>
    internal void Encode(Tokenizer tokenizer, List<int> into)
    {
        if (Kind == ChatPieceKind.EndOfText)
            into.Add(tokenizer.EndOfText);
        else if (Kind == ChatPieceKind.Mark && tokenizer.SpecialToken(Text) is { } mark)
            into.Add(mark);
        else
            tokenizer.Encode(Text, into);
    }
}

/// <summary>A message of a conversation.</summary>
/// <param name="Role">system, user or assistant.</param>
public readonly record struct ChatMessage(string Role, string Content)
{
    /// <summary>Whom the model speaks as.</summary>
    public const string Assistant = "assistant";

    /// <summary>The roles that a template can write.</summary>
    public static IReadOnlyList<string> Roles { get; } = ["system", "user", Assistant];

    internal bool IsAssistant => Role == Assistant;
}

/// <summary>
/// Collects pieces. A text ends where what is scored begins or ends, so that no token spans the border; other texts that follow each other
/// are one.
/// </summary>
internal sealed class ChatPieces
{
    private readonly List<ChatPiece> _pieces = [];
    private readonly StringBuilder _text = new();
    private bool _isCounted;

    public void Text(string text, bool isCounted)
    {
        if (isCounted != _isCounted)
            End();
        _isCounted = isCounted;
        _text.Append(text);
    }

    public void Mark(string text, bool isCounted)
    {
        End();
        _pieces.Add(new ChatPiece(ChatPieceKind.Mark, text, isCounted));
    }

    public void EndOfText(bool isCounted)
    {
        End();
        _pieces.Add(new ChatPiece(ChatPieceKind.EndOfText, "", isCounted));
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
