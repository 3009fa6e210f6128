namespace Elastic.Corpus;

/// <summary>
/// A text that knows of each of its characters who wrote it: the template, or a message. So no message can write a mark of the template,
/// and what the assistant says is found in what was written down. Immutable.
/// </summary>
internal sealed class TemplateText
{
    /// <summary>The origin of what the template itself writes.</summary>
    public const int Template = -1;

    // Characters of one origin side by side, each with where it ends: a template may cut a text of a million of them into as many parts.
    private readonly (int End, int Origin)[] _runs;

    private TemplateText(string text, (int End, int Origin)[] runs) => (Text, _runs) = (text, runs);

    /// <param name="origin">The number of the message that it comes from, or <see cref="Template"/>.</param>
    public TemplateText(string text, int origin = Template) : this(text, text.Length == 0 ? [] : [(text.Length, origin)])
    {
    }

    /// <summary>The characters alone.</summary>
    public string Text { get; }

    /// <summary>The pieces in order, each of one origin.</summary>
    public IEnumerable<(string Text, int Origin)> Pieces
    {
        get
        {
            var at = 0;
            foreach (var (end, origin) in _runs)
            {
                yield return (Text[at..end], origin);
                at = end;
            }
        }
    }

    /// <exception cref="FormatException">The sum is longer than any text may be.</exception>
    public static TemplateText Concat(params IReadOnlyList<TemplateText> texts)
    {
        if (texts.Sum(t => (long)t.Text.Length) > TemplateRun.MostCharacters)
            throw new FormatException($"the chat template makes a text of more than {TemplateRun.MostCharacters} characters");
        var (runs, at) = (new List<(int, int)>(texts.Sum(t => t._runs.Length)), 0);
        foreach (var text in texts)
        {
            foreach (var (end, origin) in text._runs)
                runs.Add((at + end, origin));
            at += text.Text.Length;
        }
        return new TemplateText(string.Concat(texts.Select(t => t.Text)), [.. runs]);
    }

    /// <summary>As a whole of the message that any of it comes from.</summary>
    public TemplateText With(string text) =>
        new(text, _runs.Select(r => r.Origin).FirstOrDefault(o => o != Template, Template));

    public TemplateText Slice(int start, int length)
    {
        var runs = new List<(int, int)>();
        for (var (run, at) = (RunAt(start), 0); at < length; run++)
        {
            at = Math.Min(_runs[run].End - start, length);
            runs.Add((at, _runs[run].Origin));
        }
        return new TemplateText(Text.Substring(start, length), [.. runs]);
    }

    /// <summary>Without these characters at its ends; without white space where there are none.</summary>
    public TemplateText Trim(bool atStart, bool atEnd, string? characters = null)
    {
        var (start, end) = (0, Text.Length);
        while (atStart && start < end && Goes(Text[start]))
            start++;
        while (atEnd && end > start && Goes(Text[end - 1]))
            end--;
        return Slice(start, end - start);

        bool Goes(char c) => characters?.Contains(c, StringComparison.Ordinal) ?? char.IsWhiteSpace(c);
    }

    /// <summary>What lies between the places where another text stands.</summary>
    /// <exception cref="FormatException">These are more than a list may have.</exception>
    public List<TemplateText> Split(string at)
    {
        var (parts, from) = (new List<TemplateText>(), 0);
        for (int found; (found = Text.IndexOf(at, from, StringComparison.Ordinal)) >= 0; from = found + at.Length)
            if (parts.Count < TemplateRun.MostItems)
                parts.Add(Slice(from, found - from));
            else
                throw new FormatException($"the chat template cuts a text into more than {TemplateRun.MostItems} parts");
        parts.Add(Slice(from, Text.Length - from));
        return parts;
    }

    /// <summary>A text with the same number of characters, each mapped to another one.</summary>
    public TemplateText Map(Func<string, string> map) => new(map(Text), _runs);

    public override string ToString() => Text;

    // The run that a character belongs to.
    private int RunAt(int character)
    {
        var (first, last) = (0, _runs.Length);
        while (first < last)
        {
            var middle = (first + last) / 2;
            if (_runs[middle].End <= character)
                first = middle + 1;
            else
                last = middle;
        }
        return first;
    }
}
