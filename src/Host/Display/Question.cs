namespace Elastic.Host.Display;

/// <summary>A question to the person at the terminal, before something that cannot be undone. Scripts are not asked.</summary>
internal static class Question
{
    /// <summary>Whether a person reads what is asked, and types the answer.</summary>
    public static bool CanBeAsked(TextWriter output) => output is TerminalWriter && !Console.IsInputRedirected;

    /// <summary>Asks; everything but y and yes, and the end of the input, is a no.</summary>
    public static bool IsAnsweredYes(string question, TextReader input, TextWriter output)
    {
        output.Write(question);
        output.Flush();
        return input.ReadLine()?.Trim() is "y" or "Y" or "yes";
    }
}
