using System.Text.RegularExpressions;

namespace Elastic.Structure.Tests;

/// <summary>What a text of the repository must not be: too long, too wide, about somebody's machine.</summary>
internal static partial class SourceRules
{
    /// <summary>A file of more lines has more than one idea.</summary>
    public const int Lines = 400;

    /// <summary>Two files of this width fit side by side on a screen.</summary>
    public const int Columns = 140;

    /// <summary>The file, when it has too many lines.</summary>
    public static IEnumerable<string> TooLong(string path, string text)
    {
        if (text.TrimEnd('\n').Split('\n').Length is > Lines and var lines)
            yield return $"{path} has {lines} lines, more than {Lines}: cut out an idea of it";
    }

    /// <summary>Its lines with too many columns.</summary>
    public static IEnumerable<string> TooWide(string path, string text)
    {
        var lines = text.Split('\n');
        for (var i = 0; i < lines.Length; i++)
            if (lines[i].TrimEnd('\r').Length is > Columns and var columns)
                yield return $"{path}:{i + 1} has {columns} columns, more than {Columns}: wrap it";
    }

    /// <summary>
    /// Expressions over somebody else's text that may take more time than in proportion to it. A timeout would have a build depend on how
    /// fast the machine is, and the build's stop cannot interrupt a match.
    /// </summary>
    public static IEnumerable<string> Backtracking(string path, string text)
    {
        var shared = SharedOptions().Matches(text);
        var said = text.Split("RegexOptions.NonBacktracking").Length - 1
            + shared.Sum(m => Regex.Count(text, $@"(?<!RegexOptions )\b{m.Groups["name"].Value}\)") - 1);
        if (Expression().Count(text) > said || text.Contains("matchTimeout", StringComparison.Ordinal))
            yield return $"{path} has an expression that backtracks: say RegexOptions.NonBacktracking, in place of a timeout";
    }

    [GeneratedRegex(@"\[GeneratedRegex\(|\bRegex \w+ = new\(|new Regex\(|Regex Pattern\(|\bRegex\.(IsMatch|Match|Replace|Split)\w*\(",
        RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Expression();

    // A constant that several expressions of a file have for their options.
    [GeneratedRegex(@"const RegexOptions (?<name>\w+) =[^;]*RegexOptions\.NonBacktracking[^;]*;", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SharedOptions();

    /// <summary>Paths of the machine that somebody worked on.</summary>
    public static IEnumerable<string> MachinePaths(string path, string text) =>
        MachinePath().Matches(text).Select(m => $"{path} names {m.Value}, which is a path of one machine");

    // A home directory or a work space with something in it. What every system has (/usr/lib, /dev/shm, /tmp) is not one machine's.
    [GeneratedRegex(@"(?<![\w.\-})/*])(/(home|Users|root|work)/[\w.\-]+|[A-Za-z]:\\Users\\[\w.\-]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex MachinePath();
}
