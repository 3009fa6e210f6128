using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Host.Configuration;

/// <summary>The settings of a command in its <c>--help</c>: each with its default and the first sentence of its explanation.</summary>
internal static class SettingsHelp
{
    private const int Width = 120;
    private const int Margin = 2;

    /// <param name="defaults">The command's defaults where they differ from the settings' own.</param>
    public static IEnumerable<string> Lines(SettingsSchema schema, IReadOnlyDictionary<string, string>? defaults = null)
    {
        var rows = schema.Settings
            .Select(s => ($"{s.Key} = {defaults?.GetValueOrDefault(s.Key) ?? s.ShownDefault}", FirstSentence(s.Why))).ToList();
        var column = rows.Max(r => r.Item1.Length) + Margin;
        foreach (var (setting, about) in rows)
        {
            var start = setting.PadRight(column);
            foreach (var line in TextWrap.Lines(about, Width - column))
            {
                yield return start + line;
                start = new string(' ', column);
            }
        }
    }

    // "et al. 2019" ends no sentence: a sentence begins with a capital.
    private static string FirstSentence(string text)
    {
        for (var i = 0; i + 2 < text.Length; i++)
        {
            if (text[i] == '.' && text[i + 1] == ' ' && char.IsAsciiLetterUpper(text[i + 2]))
                return text[..(i + 1)];
        }

        return text;
    }
}
