namespace Elastic.Corpus;

/// <summary>A line of a template that is carried out: what it may cost, and how it refuses.</summary>
/// <param name="Run">The rendering.</param>
/// <param name="Line">The line, from 1.</param>
internal readonly record struct TemplatePlace(TemplateRun Run, int Line)
{
    // A value costs as much as so many characters: some 100 ns against a few.
    private const int ValueWork = 32;

    /// <summary>The template cannot write these messages.</summary>
    public FormatException Refusal(string why) => TemplateRun.Refusal(Line, why);

    /// <inheritdoc cref="TemplateRun.Counted"/>
    public object? Counted(object? value) => Run.Counted(value, Line);

    /// <summary>Counts a value inside of others that is looked at: a list may hold itself, or the same one many times over.</summary>
    /// <param name="depth">Lists and dictionaries around it.</param>
    public void Enter(object? value, int depth)
    {
        if (depth > TemplateRun.MostDepth)
            throw Refusal($"has lists in lists more than {TemplateRun.MostDepth} deep, or one that holds itself");
        Run.Work(ValueWork + (value is TemplateText text ? text.Text.Length : 0), Line);
    }
}
