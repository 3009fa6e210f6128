using System.Collections;

namespace Elastic.Corpus;

/// <summary>One rendering of a template: its variables, what it has written, and how much work it may still make.</summary>
internal sealed class TemplateRun
{
    // A conversation of a thousand messages takes some ten thousand steps.
    private const int MostSteps = 1_000_000;

    /// <summary>The most characters of a text: more than any model's context.</summary>
    public const int MostCharacters = 4 << 20;

    /// <summary>The most items of a list that a template makes.</summary>
    public const int MostItems = 100_000;

    /// <summary>How deep lists and dictionaries may be in each other. The messages of people have two or three levels.</summary>
    public const int MostDepth = 200;

    // Characters and items of all values that are looked at or made on the way: about a second at worst.
    private const long MostWork = 1L << 28;

    private readonly List<Dictionary<string, object?>> _scopes;
    private readonly List<(TemplateText Text, bool IsGenerated)> _output = [];
    private int _steps, _characters;
    private long _work;

    public TemplateRun(Dictionary<string, object?> variables) => _scopes = [variables];

    /// <summary>What is written, and whether it stands in a <c>generation</c> block.</summary>
    public IReadOnlyList<(TemplateText Text, bool IsGenerated)> Output => _output;

    /// <summary>Whether what is written now stands in a <c>generation</c> block.</summary>
    public bool IsGenerated { get; set; }

    /// <summary>Counts a step of the work.</summary>
    public void Step(int line)
    {
        if (++_steps > MostSteps)
            throw Refusal(line, $"takes more than {MostSteps} steps for this conversation");
    }

    /// <summary>Counts a value that work is done with or that comes of it, and returns it.</summary>
    public object? Counted(object? value, int line)
    {
        Step(line);
        Work(value switch { TemplateText text => text.Text.Length, ICollection items => items.Count, _ => 0 }, line);
        return value;
    }

    /// <summary>Counts characters and items that are gone through.</summary>
    public void Work(long amount, int line)
    {
        if ((_work += amount) > MostWork)
            throw Refusal(line, "goes through texts over and over");
    }

    public object? Find(string name)
    {
        for (var i = _scopes.Count - 1; i >= 0; i--)
            if (_scopes[i].TryGetValue(name, out var value))
                return value;
        return TemplateValues.Undefined;
    }

    /// <summary>Sets a variable of the innermost scope: what a loop sets ends with its pass.</summary>
    public void Set(string name, object? value) => _scopes[^1][name] = value;

    public void Enter() => _scopes.Add(new Dictionary<string, object?>(StringComparer.Ordinal));

    public void Leave() => _scopes.RemoveAt(_scopes.Count - 1);

    public void Write(TemplateText text, int line)
    {
        if (text.Text.Length == 0)
            return;
        _characters += text.Text.Length;
        if (_characters > MostCharacters)
            throw Refusal(line, $"writes more than {MostCharacters} characters");
        _output.Add((text, IsGenerated));
    }

    /// <summary>The template cannot write these messages.</summary>
    public static FormatException Refusal(int line, string why) => new($"line {line} of the chat template {why}");
}
