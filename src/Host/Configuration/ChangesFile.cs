using System.Globalization;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Configuration;

/// <summary>
/// The file of <c>elastic train --changes</c>: what changes in mid-run, known before it begins. A line is "ROUND KEY=VALUE", e.g.
/// "30 optimizer.learning-rate=5e-4"; rounds never go down, lines of one round are one change, and # begins a comment line.
/// </summary>
internal static class ChangesFile
{
    // Thousands of lines.
    private const int LargestFile = 1 << 20;

    /// <param name="start">What the run is started with.</param>
    /// <exception cref="SettingsException">Names what is wrong, and in which line.</exception>
    public static IReadOnlyList<SettingsChange> Read(string path, TrainingSettings start)
    {
        try
        {
            return Parse(path, Encoding.UTF8.GetString(RegularFile.Read(path, LargestFile)), start);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"--changes {path} cannot be read ({e.Message.TrimEnd('.')}): name a file of lines like "
                + "\"30 optimizer.learning-rate=5e-4\"", e);
        }
    }

    /// <inheritdoc cref="Read"/>
    public static IReadOnlyList<SettingsChange> Parse(string path, string text, TrainingSettings start)
    {
        var (changes, settings, last) = (new List<SettingsChange>(), start, 0);
        var lines = text.Split('\n').Select((line, i) => (Text: line.Trim(), Number: i + 1)).Where(l => l.Text is [not '#', ..]).ToList();
        foreach (var ofRound in lines.Select(l => Line(path, l.Text, l.Number)).GroupBy(l => l.Round))
        {
            var (round, first) = (ofRound.Key, ofRound.First().Number);
            if (round <= last)
                throw new SettingsException(round == 0
                    ? $"{path}, line {first}: round 0 is the run's first one, whose settings are those of the start; use 1 or more"
                    : $"{path}, line {first}: round {round} comes after round {last}; put the lines in the order of the rounds");
            last = round;
            var changed = Apply(path, first, settings, [.. ofRound.Select(l => l.Assignment)]);
            if (PartialSettings.Between(settings, changed) is { Length: > 0 } difference)
                changes.Add(new SettingsChange(round, difference));
            settings = changed;
        }

        return changes;
    }

    private static TrainingSettings Apply(string path, int line, TrainingSettings settings, IReadOnlyList<string> assignments)
    {
        try
        {
            return ConfigurationLoader.LoadFor(
                new RememberedRun(new RunId("changes-00000000"), settings, Digest.Of([])),
                new ConfigurationRequest([], assignments, Run: settings.Run.Name)).Training;
        }
        catch (SettingsException e)
        {
            throw new SettingsException($"{path}, line {line}: {e.Message}", e);
        }
    }

    private static (int Round, string Assignment, int Number) Line(string path, string line, int number) =>
        line.IndexOf(' ', StringComparison.Ordinal) is var space and > 0
        && int.TryParse(line.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out var round)
        && line[(space + 1)..].Contains('=', StringComparison.Ordinal)
            ? (round, line[(space + 1)..].Trim(), number)
            : throw new SettingsException($"{path}, line {number}: write ROUND KEY=VALUE, e.g. 30 optimizer.learning-rate=5e-4");
}
