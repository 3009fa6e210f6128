using System.Buffers;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus;

/// <summary>
/// How conversations are written down as one text: a chat template, and which texts of it are marks. What people have written is text and
/// never a mark, whatever it says. Immutable.
/// </summary>
public sealed class ChatFormat
{
    private readonly JinjaTemplate _template;
    private readonly string[] _marks;
    private readonly SearchValues<string> _search;
    private readonly string? _beginning, _end;
    private readonly bool _endIsEndOfText;

    /// <param name="marks">The tokenizer's special tokens.</param>
    /// <param name="beginning">What bos_token is; null for none.</param>
    /// <param name="end">What eos_token is; null for none.</param>
    /// <param name="endIsEndOfText">True where eos_token is the tokenizer's end of text, whether or not it has a text.</param>
    private ChatFormat(JinjaTemplate template, IEnumerable<string> marks, string? beginning, string? end, bool endIsEndOfText)
    {
        (_template, _beginning, _end, _endIsEndOfText) = (template, beginning, end, endIsEndOfText);
        _marks = [.. marks.Append(beginning).Append(end).OfType<string>().Where(m => m.Length > 0).Distinct()
            .OrderByDescending(m => m.Length).ThenBy(m => m, StringComparer.Ordinal)];
        _search = SearchValues.Create(_marks, StringComparison.Ordinal);
    }

    /// <summary>The template in Jinja.</summary>
    public string Jinja => _template.Source;

    /// <summary>What bos_token is in it; null for none.</summary>
    internal string? Beginning => _beginning;

    /// <summary>What eos_token is in it; null for none.</summary>
    internal string? End => _end;

    /// <summary>By everything that decides what is written: names a corpus.</summary>
    internal Digest Id => CorpusIdentity.OfTexts([_template.Source, _beginning ?? "", _end ?? "", .. _marks]);

    /// <summary>One of Elastic's own.</summary>
    public static ChatFormat Named(ChatTemplate template) => ByName[template];

    private static Dictionary<ChatTemplate, ChatFormat> ByName { get; } = new()
    {
        [ChatTemplate.Plain] = new(new JinjaTemplate(OwnTemplates.Plain, "plain"), [], null, TokenizerFiles.EndOfText, true),
        [ChatTemplate.Chatml] = new(
            new JinjaTemplate(OwnTemplates.Chatml, "chatml"), ["<|im_start|>", "<|im_end|>"], null, null, false),
        [ChatTemplate.Llama3] = new(
            new JinjaTemplate(OwnTemplates.Llama3, "llama3"),
            ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"], null, null, false),
    };

    /// <summary>A template that came with a tokenizer.</summary>
    /// <param name="jinja">Its text.</param>
    /// <param name="name">What it is called in messages.</param>
    /// <exception cref="ElasticException">It cannot be read.</exception>
    public static ChatFormat Of(string jinja, string name, Tokenizer tokenizer, string? beginning, string? end)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return new ChatFormat(
            new JinjaTemplate(jinja, name), tokenizer.SpecialTokens, beginning, end,
            end is not null && (tokenizer.SpecialToken(end) ?? tokenizer.EndOfText) == tokenizer.EndOfText);
    }

    /// <summary>The pieces of a conversation, in order.</summary>
    /// <param name="beginsAnswer">With what comes before the assistant's next message at the end.</param>
    /// <exception cref="FormatException">The template refuses these messages; says why.</exception>
    public IReadOnlyList<ChatPiece> Write(IReadOnlyList<ChatMessage> messages, bool beginsAnswer = false)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var pieces = new ChatPieces();
        foreach (var (text, isMark, isCounted) in Parts(_template.Render(Variables(messages, beginsAnswer)), messages))
            if (!isMark)
                pieces.Text(text, isCounted);
            else if (_endIsEndOfText && text == _end)
                pieces.EndOfText(isCounted);
            else
                pieces.Mark(text, isCounted);
        return pieces.Complete();
    }

    /// <summary>The tokens after which the assistant's answer to the last message begins.</summary>
    /// <inheritdoc cref="Write" path="/exception"/>
    public List<int> Prompt(IReadOnlyList<ChatMessage> messages, Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        List<int> tokens = [];
        foreach (var piece in Write(messages, beginsAnswer: true))
            piece.Encode(tokenizer, tokens);
        return tokens;
    }

    /// <summary>
    /// What ends an answer besides the end of text: the mark that the template writes behind one. A token where the tokenizer has it,
    /// else a text; null for none.
    /// </summary>
    public (int? Token, string? Text) EndOfAnswer(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        try
        {
            var pieces = Write([new ChatMessage("user", "a"), new ChatMessage(ChatMessage.Assistant, "b")]);
            var mark = pieces.LastOrDefault(p => p.IsCounted && p.Kind == ChatPieceKind.Mark);
            return mark is null ? (null, null)
                : tokenizer.SpecialToken(mark.Text) is { } token ? (token, null) : (null, mark.Text);
        }
        catch (FormatException)
        {
            // A template that does not write such a conversation says nothing of its end.
            return (null, null);
        }
    }

    /// <summary>The token that bos_token is; null where it is none of the tokenizer's special tokens.</summary>
    public int? BeginningIn(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return _beginning is null ? null : tokenizer.SpecialToken(_beginning);
    }

    // As Transformers names them. What is not there is none in Jinja: tools, documents, the date.
    private Dictionary<string, object?> Variables(IReadOnlyList<ChatMessage> messages, bool beginsAnswer)
    {
        var variables = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["messages"] = messages.Select((m, i) => (object?)new Dictionary<string, object?>(StringComparer.Ordinal)
            {
                ["role"] = new TemplateText(m.Role),
                ["content"] = new TemplateText(m.Content, i),
            }).ToList(),
            ["add_generation_prompt"] = beginsAnswer,
        };
        if (_beginning is not null)
            variables["bos_token"] = new TemplateText(_beginning);
        if (_end is not null)
            variables["eos_token"] = new TemplateText(_end);
        return variables;
    }

    private List<(string Text, bool IsMark, bool IsCounted)> Parts(
        IReadOnlyList<(TemplateText Text, bool IsGenerated)> written, IReadOnlyList<ChatMessage> messages)
    {
        var runs = Runs(written);
        var parts = new List<(string Text, bool IsMark, bool IsCounted)>();
        // Where the template does not say what the assistant generates: its messages, each up to the first mark behind it.
        var (saysIt, answer) = (runs.Exists(r => r.IsGenerated), -1);
        foreach (var (text, origin, isGenerated) in runs)
        {
            if (origin != TemplateText.Template)
            {
                var isAnswer = messages[origin].IsAssistant;
                parts.Add((text, false, saysIt ? isGenerated : isAnswer));
                answer = isAnswer ? parts.Count : -1;
                continue;
            }
            foreach (var (part, isMark) in WithMarks(text))
            {
                parts.Add((part, isMark, isGenerated));
                if (!isMark || answer < 0 || saysIt)
                    continue;
                for (var i = answer; i < parts.Count; i++)
                    parts[i] = parts[i] with { IsCounted = true };
                answer = -1;
            }
        }
        return parts;
    }

    // Who wrote it, with what the template has written piece by piece as one: between messages without a text that is all of it.
    private static List<(string Text, int Origin, bool IsGenerated)> Runs(IReadOnlyList<(TemplateText Text, bool IsGenerated)> written)
    {
        var runs = new List<(string Text, int Origin, bool IsGenerated)>();
        var (run, of) = (new StringBuilder(), (Origin: TemplateText.Template, IsGenerated: false));
        foreach (var (text, isGenerated) in written)
            foreach (var (piece, origin) in text.Pieces)
            {
                if (of != (origin, isGenerated))
                    End();
                of = (origin, isGenerated);
                run.Append(piece);
            }
        End();
        return runs;

        void End()
        {
            if (run.Length > 0)
                runs.Add((run.ToString(), of.Origin, of.IsGenerated));
            run.Clear();
        }
    }

    private IEnumerable<(string Text, bool IsMark)> WithMarks(string text)
    {
        var from = 0;
        for (int found; (found = text.AsSpan(from).IndexOfAny(_search)) >= 0;)
        {
            var at = from + found;
            // Where one mark begins like another one, the longer one.
            var mark = Array.Find(_marks, m => string.CompareOrdinal(text, at, m, 0, m.Length) == 0)!;
            if (at > from)
                yield return (text[from..at], false);
            yield return (mark, true);
            from = at + mark.Length;
        }
        if (from < text.Length)
            yield return (text[from..], false);
    }
}
