using System.Text;

namespace Elastic.Actors.Hosting;

/// <summary>Which of the lines of a log that say the same are written: the first one, and one a minute after it.</summary>
internal sealed class Repetitions
{
    /// <summary>Often enough to see that it goes on, and 1,440 lines a day at most.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    // More different lines than a cluster in trouble has at a time; then all of them are forgotten, which costs a line each.
    private const int Most = 512;

    private readonly Dictionary<string, (DateTime Written, int Skipped)> _known = new(StringComparer.Ordinal);

    /// <summary>Whether the line is written now.</summary>
    /// <param name="skipped">How many lines like it were not written since the last one that was.</param>
    public bool IsDue(string line, DateTime now, out int skipped)
    {
        var key = KeyOf(line);
        lock (_known)
        {
            var isKnown = _known.TryGetValue(key, out var last);
            skipped = last.Skipped;
            if (isKnown && now - last.Written < Interval)
            {
                _known[key] = last with { Skipped = skipped + 1 };
                return false;
            }

            if (_known.Count >= Most)
                _known.Clear();
            _known[key] = (now, 0);
            return true;
        }
    }

    // Numbers are times, counters and the names of temporary actors. Addresses differ by their port, which is kept: it names the node.
    private static string KeyOf(string line)
    {
        var key = new StringBuilder(line.Length);
        for (var i = 0; i < line.Length; i++)
        {
            var isPort = i > 0 && char.IsAsciiDigit(line[i]) && IsAddress(line, i);
            if (!char.IsAsciiDigit(line[i]) || isPort)
                key.Append(line[i]);
        }

        return key.ToString();
    }

    // A digit of an address or a port follows '@', ':' or '.', or such a digit.
    private static bool IsAddress(string line, int at)
    {
        while (at > 0 && char.IsAsciiDigit(line[at]))
            at--;
        return line[at] is '@' or ':' or '.';
    }
}
