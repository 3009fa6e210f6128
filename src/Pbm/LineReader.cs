namespace Elastic.Pbm;

/// <summary>The keys of a terminal.</summary>
internal interface IKeyboard
{
    /// <summary>Columns of the terminal.</summary>
    int Width { get; }

    /// <summary>Whether Ctrl-C is a key, and not a signal.</summary>
    void TakeCtrlC(bool asKey);

    /// <summary>Waits for the next key.</summary>
    ConsoleKeyInfo ReadKey();
}

/// <summary>The keys of this process's terminal.</summary>
internal sealed class ConsoleKeyboard : IKeyboard
{
    public int Width => Console.WindowWidth;

    public void TakeCtrlC(bool asKey) => Console.TreatControlCAsInput = asKey;

    public ConsoleKeyInfo ReadKey() => Console.ReadKey(intercept: true);
}

/// <summary>A person has answered a question by Ctrl-C.</summary>
internal sealed class QuestionAbandonedException : OperationCanceledException;

/// <summary>Reads a line from a terminal, key by key, and shows it as it is typed.</summary>
internal static class LineReader
{
    private const string ClearToEnd = "\e[K";

    /// <summary>The line; null at the end of the input (Ctrl-D). Ctrl-C abandons the line and begins another one.</summary>
    /// <param name="complete">The beginning of a line: where its last word begins, and what the word may become.</param>
    public static string? Read(
        string prompt, LineEditor editor, IKeyboard keyboard, TextWriter output,
        Func<string, (int From, IReadOnlyList<string> Words)> complete) =>
        Read(prompt, editor, keyboard, output, complete, editor.Begin);

    /// <summary>The answer to a question; null at the end of the input (Ctrl-D).</summary>
    /// <exception cref="QuestionAbandonedException">The answer is Ctrl-C.</exception>
    public static string? Answer(string question, IKeyboard keyboard, TextWriter output)
    {
        // Where the terminal would break the line, the answer stands in one of its own.
        var fits = question.Length + 8 < keyboard.Width;
        if (!fits)
            output.WriteLine(question);
        return Read(
            fits ? question : "> ", new LineEditor(), keyboard, output, _ => (0, []), () => throw new QuestionAbandonedException());
    }

    private static string? Read(
        string prompt, LineEditor editor, IKeyboard keyboard, TextWriter output,
        Func<string, (int From, IReadOnlyList<string> Words)> complete, Action abandon)
    {
        keyboard.TakeCtrlC(asKey: true);
        try
        {
            editor.Begin();
            while (true)
            {
                Draw(prompt, editor, keyboard.Width, output);
                switch (editor.Apply(keyboard.ReadKey()))
                {
                    case LineEvent.Entered:
                        output.WriteLine();
                        return editor.Text;
                    case LineEvent.Ended:
                        return null;
                    case LineEvent.Abandoned:
                        output.WriteLine("^C");
                        abandon();
                        break;
                    case LineEvent.Completes:
                        Complete(editor, output, complete(editor.Text[..editor.Cursor]));
                        break;
                }
            }
        }
        finally
        {
            keyboard.TakeCtrlC(asKey: false);
        }
    }

    // As far as all possible words agree; where they agree no further, they are listed.
    private static void Complete(LineEditor editor, TextWriter output, (int From, IReadOnlyList<string> Words) possible)
    {
        var (from, words) = possible;
        if (words.Count == 0)
            return;
        var typed = editor.Cursor - from;
        var common = words.Aggregate((a, b) => a[..a.Zip(b).TakeWhile(c => c.First == c.Second).Count()]);
        if (words.Count == 1)
            editor.Complete(from, common.EndsWith('=') ? common : common + " ");
        else if (common.Length > typed)
            editor.Complete(from, common);
        else
            output.WriteLine($"\n{string.Join("  ", words)}");
    }

    // One row: where the line is longer, the part around the cursor is shown.
    private static void Draw(string prompt, LineEditor editor, int width, TextWriter output)
    {
        var room = Math.Max(1, width - prompt.Length - 1);
        var first = Math.Max(0, editor.Cursor - room);
        var shown = editor.Text[first..Math.Min(editor.Text.Length, first + room)];
        output.Write($"\r{prompt}{shown}{ClearToEnd}\r");
        var column = prompt.Length + editor.Cursor - first;
        if (column > 0)
            output.Write($"\e[{column}C");
        output.Flush();
    }
}
