using Elastic.Foundation;

namespace Elastic.Corpus;

/// <summary>Conversations: records of <c>{"messages": [{"role": "user", "content": "…"}, …]}</c>.</summary>
internal ref partial struct JsonRecord
{
    private const string MessagesField = "messages";

    /// <summary>The conversation of the record, written down; its text is what the assistant says.</summary>
    /// <param name="json">One line of valid UTF-8.</param>
    public static Found ReadConversation(ReadOnlySpan<byte> json, ChatFormat chat)
    {
        var record = new JsonRecord(json);
        try
        {
            var (source, pile, messages) = ((string?)null, (string?)null, (List<ChatMessage>?)null);
            var names = new List<string>();
            record.Begin();
            while (record.NextKey() is { } key)
            {
                if (key == MessagesField && record.Peek() == '[')
                    messages = record.TakeMessages();
                else if (!record.TakeSource(key, ref source, ref pile))
                    record.SkipValue();
                Name(names, key);
            }
            record.End();
            if (messages is null)
                throw new FormatException($"there is no field \"{MessagesField}\" with a list (it has {Listed(names)})");
            if (!messages.Exists(m => m.IsAssistant))
                throw new FormatException("no message is of the assistant: there is nothing to learn from it");
            var pieces = chat.Write(messages);
            var said = string.Concat(pieces.Where(p => p is { IsCounted: true, Kind: ChatPieceKind.Text }).Select(p => p.Text));
            if (string.IsNullOrWhiteSpace(said))
                throw new FormatException("the chat template leaves out what the assistant says: there is nothing to learn from it");
            return new Found(said, SourceOf(source, pile), record._replaced, "") { Pieces = pieces, Language = record._language };
        }
        catch (FormatException e)
        {
            return new Found(null, null, 0, e.Message);
        }
    }

    private List<ChatMessage> TakeMessages()
    {
        var messages = new List<ChatMessage>();
        _position++;
        while (true)
        {
            SkipSpace();
            if (Peek() == ',')
                _position++;
            SkipSpace();
            switch (Next())
            {
                case ']':
                    return messages;
                case '{':
                    messages.Add(TakeMessage(messages.Count + 1));
                    break;
                default:
                    throw new FormatException($"message {messages.Count + 1} is not a JSON object");
            }
        }
    }

    // Of two fields of one name the last one counts.
    private ChatMessage TakeMessage(int number)
    {
        var (role, content) = ((string?)null, (string?)null);
        while (NextKey() is { } key)
            if (key == "role")
                role = StringOrSkip();
            else if (key == "content")
                content = StringOrSkip();
            else
                SkipValue();
        if (role is null || content is null)
            throw new FormatException($"message {number} has no {(role is null ? "role" : "content")} that is a string");
        if (!ChatMessage.Roles.Contains(role))
            throw new FormatException(
                $"message {number} has the role \"{OneLine.Of(role, 40)}\": known are {string.Join(", ", ChatMessage.Roles)}");
        var message = new ChatMessage(role, content);
        return message.IsAssistant && string.IsNullOrWhiteSpace(content)
            ? throw new FormatException($"message {number}, of the assistant, is empty")
            : message;
    }
}
