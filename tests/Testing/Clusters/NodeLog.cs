using System.Globalization;
using System.Text.RegularExpressions;

namespace Elastic.Bench.Elasticity.Clusters;

/// <summary>A replica's round on a node.</summary>
internal readonly record struct ReplicaRound(int Replica, int Round);

/// <summary>The times in a node's log.txt.</summary>
internal sealed partial class NodeLog(string path)
{
    /// <summary>When the node began to work on a replica's round, oldest first.</summary>
    public IReadOnlyList<(DateTime At, ReplicaRound Work)> Starts => [.. Matches(Started()).Select(m => (m.At, WorkOf(m.Match)))];

    /// <summary>When the node took its first step of a replica's round, oldest first.</summary>
    public IReadOnlyList<(DateTime At, ReplicaRound Work)> FirstSteps => [.. Matches(Stepped()).Select(m => (m.At, WorkOf(m.Match)))];

    /// <summary>When this node gave another one up, and which.</summary>
    public IReadOnlyList<(DateTime At, string Node)> GivenUp => [.. Matches(Lost()).Select(m => (m.At, m.Match.Groups["node"].Value))];

    /// <summary>When the supervisors came to this node.</summary>
    public IReadOnlyList<DateTime> Supervises => [.. Matches(Supervised()).Select(m => m.At)];

    /// <summary>When a node was first heard of by the supervisors here.</summary>
    public IReadOnlyList<DateTime> Enlisted => [.. Matches(IsHere()).Select(m => m.At)];

    public string Tail(int lines) => string.Join(Environment.NewLine, Lines().TakeLast(lines));

    private IEnumerable<(DateTime At, Match Match)> Matches(Regex pattern) => Lines().Select(line => (Line: line, Match: pattern.Match(line))).Where(m => m.Match.Success)
        .Select(m => (DateTime.Parse(m.Line.AsSpan(0, m.Line.IndexOf(' ')), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind).ToUniversalTime(), m.Match));

    private string[] Lines()
    {
        if (!File.Exists(path))
            return [];
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd().Split('\n');
    }

    private static ReplicaRound WorkOf(Match match) => new(int.Parse(match.Groups["replica"].ValueSpan), int.Parse(match.Groups["round"].ValueSpan));

    [GeneratedRegex(@"round (?<round>\d+) replica (?<replica>\d+): begins at step", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Started();

    [GeneratedRegex(@"round (?<round>\d+) replica (?<replica>\d+): its first step", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Stepped();

    [GeneratedRegex(@"node (?<node>\S+) is given up", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Lost();

    [GeneratedRegex(@"the runs are supervised here", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Supervised();

    [GeneratedRegex(@"node \S+ is here with", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex IsHere();
}
