using System.Globalization;
using System.Text.RegularExpressions;

namespace Elastic.Testing;

/// <summary>A replica's round on a node.</summary>
public readonly record struct ReplicaRound(int Replica, int Round);

/// <summary>A node's log.txt, and what it says and when.</summary>
public sealed partial class NodeLog(string path)
{
    private const int TailBytes = 6 << 10;

    /// <summary>A line an event, so far.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            if (!File.Exists(path))
                return [];
            using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            return reader.ReadToEnd().TrimEnd().Split('\n');
        }
    }

    /// <summary>Its end, short enough to be read and to be shown.</summary>
    public string Tail
    {
        get
        {
            if (!File.Exists(path))
                return "";
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            file.Position = Math.Max(0, file.Length - TailBytes);
            using var reader = new StreamReader(file);
            return reader.ReadToEnd();
        }
    }

    /// <summary>When the node began to work on a replica's round, and at which step, oldest first.</summary>
    public IReadOnlyList<(DateTime At, ReplicaRound Work, int Step)> Starts =>
        [.. Matches(Started()).Select(m => (m.At, WorkOf(m.Match), Number(m.Match, "step")))];

    /// <summary>When the node took its first step of a replica's round, oldest first.</summary>
    public IReadOnlyList<(DateTime At, ReplicaRound Work)> FirstSteps => [.. Matches(Stepped()).Select(m => (m.At, WorkOf(m.Match)))];

    /// <summary>When this node gave another one up, and that one's address.</summary>
    public IReadOnlyList<(DateTime At, string Node)> GivenUp => [.. Matches(Lost()).Select(m => (m.At, m.Match.Groups["node"].Value))];

    /// <summary>When the supervisors came to this node.</summary>
    public IReadOnlyList<DateTime> Supervises => [.. Matches(Supervised()).Select(m => m.At)];

    /// <summary>When a node was first heard of by the supervisors here.</summary>
    public IReadOnlyList<DateTime> Enlisted => [.. Matches(IsHere()).Select(m => m.At)];

    private IEnumerable<(DateTime At, Match Match)> Matches(Regex pattern) =>
        Lines.Select(line => (Line: line, Match: pattern.Match(line))).Where(m => m.Match.Success).Select(m => (TimeOf(m.Line), m.Match));

    /// <summary>When a line was written.</summary>
    public static DateTime TimeOf(string line) =>
        DateTime.Parse(line.AsSpan(0, line.IndexOf(' ')), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind).ToUniversalTime();

    private static ReplicaRound WorkOf(Match match) => new(Number(match, "replica"), Number(match, "round"));

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"round (?<round>\d+) replica (?<replica>\d+): begins at step (?<step>\d+) on", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Started();

    [GeneratedRegex(@"round (?<round>\d+) replica (?<replica>\d+): its first step", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Stepped();

    [GeneratedRegex(@"node (?<node>\S+) \(\S+\) is given up", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Lost();

    [GeneratedRegex(@"the runs are supervised here", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Supervised();

    [GeneratedRegex(@"node \S+ \(\S+\) is here with", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex IsHere();
}
