using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Actors.Hosting;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Messages.Pbm;

namespace Elastic.Host.Pbm;

/// <summary><c>pbm log</c>: what the seed that answers logs.</summary>
internal static class LogPalette
{
    private const int DefaultEarlier = 10, MostEarlier = 500, LongestLine = 2000;

    private static readonly string[] Levels = [.. Enum.GetNames<LogSeverity>().Select(n => n.ToLowerInvariant())];

    private static readonly ArgumentHelp Level = new("l", "level", "LEVEL",
        $"Shows lines of this level and above: {string.Join(", ", Levels)}. Default: info.", Choices: Levels);

    private static readonly ArgumentHelp Count = new("c", "count", "NUMBER",
        $"Lines from before, at most {MostEarlier}. Default: {DefaultEarlier}.");

    public static Palette Build(IClusterControl control) => new("log", "shows what a seed logs",
        [new(
            new CommandHelp("tail",
                "Shows the newest lines of the log of the seed that answers, then each that comes, until Ctrl-C. The log of another node "
                + "is log.txt in its data directory.",
                [Level, Count],
                """
                pbm log tail                      what happens on the seed
                pbm seed2:9110 log tail -l error  what goes wrong on another one
                """, Follows: true), Changes: false,
            (call, cancel) => TailAsync(control, call, cancel))]);

    private static async IAsyncEnumerable<PbmLine> TailAsync(
        IClusterControl control, PbmCall call, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (level, count) = (call.Value(Level) ?? "info", call.Value(Count));
        var severity = Array.IndexOf(Levels, level);
        if (severity < 0)
            throw new SettingsException($"--level={level} is no level: {EditDistance.Suggest(level, Levels)}");
        var earlier = DefaultEarlier;
        if (count is not null
            && (!int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out earlier) || earlier > MostEarlier))
            throw new SettingsException($"--count={count}: use a number from 0 to {MostEarlier}");
        await foreach (var line in control.LogAsync((LogSeverity)severity, earlier, cancel).WithCancellation(cancel))
        {
            var text = OneLine.Of(line.Text, LongestLine);
            yield return new PbmLine(
                $"{line.At.UtcDateTime:HH:mm:ss.fff}Z {line.Severity.ToString()[..4].ToUpperInvariant()} {text}", new JsonObject
                {
                    ["at"] = line.At,
                    ["level"] = line.Severity.ToString().ToLowerInvariant(),
                    ["text"] = text,
                });
        }
    }
}
