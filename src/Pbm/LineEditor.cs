namespace Elastic.Pbm;

/// <summary>What a key has done to a line.</summary>
internal enum LineEvent { Edited, Completes, Entered, Abandoned, Ended }

/// <summary>A line that a person types, and the lines before it. Knows keys and text, and no terminal.</summary>
internal sealed class LineEditor
{
    // More than anybody steps through by hand.
    private const int HistoryKept = 500;

    private readonly List<string> _history = [];
    private int _at;                                    // in the history; its end is the new line
    private string _new = "";                           // the new line, while an older one is shown

    public string Text { get; private set; } = "";

    /// <summary>The character before which the next one goes.</summary>
    public int Cursor { get; private set; }

    /// <summary>Begins a new line.</summary>
    public void Begin() => (Text, Cursor, _at, _new) = ("", 0, _history.Count, "");

    /// <summary>Puts a completion in place of the end of the text before the cursor.</summary>
    /// <param name="from">Where the text that it replaces begins.</param>
    public void Complete(int from, string with) => (Text, Cursor) = (Text[..from] + with + Text[Cursor..], from + with.Length);

    /// <summary>Applies a key, as shells do (the keys of emacs).</summary>
    public LineEvent Apply(ConsoleKeyInfo key)
    {
        if (key.Modifiers.HasFlag(ConsoleModifiers.Control))
            return ApplyControl(key.Key);
        switch (key.Key)
        {
            case ConsoleKey.Enter:
                Remember();
                return LineEvent.Entered;
            case ConsoleKey.Tab:
                return LineEvent.Completes;
            case ConsoleKey.Backspace:
                Delete(Cursor - 1, Cursor);
                break;
            case ConsoleKey.Delete:
                Delete(Cursor, Cursor + 1);
                break;
            case ConsoleKey.LeftArrow:
                Cursor = Math.Max(0, Cursor - 1);
                break;
            case ConsoleKey.RightArrow:
                Cursor = Math.Min(Text.Length, Cursor + 1);
                break;
            case ConsoleKey.Home:
                Cursor = 0;
                break;
            case ConsoleKey.End:
                Cursor = Text.Length;
                break;
            case ConsoleKey.UpArrow:
                Show(_at - 1);
                break;
            case ConsoleKey.DownArrow:
                Show(_at + 1);
                break;
            default:
                if (!char.IsControl(key.KeyChar))
                    (Text, Cursor) = (Text.Insert(Cursor, key.KeyChar.ToString()), Cursor + 1);
                break;
        }

        return LineEvent.Edited;
    }

    private LineEvent ApplyControl(ConsoleKey key)
    {
        switch (key)
        {
            case ConsoleKey.C:
                return LineEvent.Abandoned;
            case ConsoleKey.D when Text.Length == 0:
                return LineEvent.Ended;
            case ConsoleKey.D:
                Delete(Cursor, Cursor + 1);
                break;
            case ConsoleKey.J or ConsoleKey.M or ConsoleKey.Enter:      // .NET takes a line feed for Ctrl-Enter
                Remember();
                return LineEvent.Entered;
            case ConsoleKey.H:
                Delete(Cursor - 1, Cursor);
                break;
            case ConsoleKey.A:
                Cursor = 0;
                break;
            case ConsoleKey.E:
                Cursor = Text.Length;
                break;
            case ConsoleKey.U:
                Delete(0, Cursor);
                break;
            case ConsoleKey.K:
                Delete(Cursor, Text.Length);
                break;
            case ConsoleKey.W:
                Delete(Text[..Cursor].TrimEnd().LastIndexOf(' ') + 1, Cursor);
                break;
            case ConsoleKey.P:
                Show(_at - 1);
                break;
            case ConsoleKey.N:
                Show(_at + 1);
                break;
        }

        return LineEvent.Edited;
    }

    private void Delete(int from, int to)
    {
        (from, to) = (Math.Max(0, from), Math.Min(Text.Length, to));
        if (from < to)
            (Text, Cursor) = (Text.Remove(from, to - from), from);
    }

    private void Show(int at)
    {
        if (at < 0 || at > _history.Count)
            return;
        if (_at == _history.Count)
            _new = Text;
        _at = at;
        Text = at == _history.Count ? _new : _history[at];
        Cursor = Text.Length;
    }

    private void Remember()
    {
        if (string.IsNullOrWhiteSpace(Text) || _history.LastOrDefault() == Text)
            return;
        _history.Add(Text);
        if (_history.Count > HistoryKept)
            _history.RemoveAt(0);
    }
}
