namespace Elastic.Foundation;

/// <summary>
/// How many letters two names are apart (Levenshtein 1966, with the swaps of Damerau 1964): finds what a misspelt name was meant to be.
/// </summary>
public static class EditDistance
{
    /// <summary>
    /// Insertions, deletions, replacements and swaps of neighbours that turn <paramref name="a"/> into <paramref name="b"/>, whatever their
    /// case. No letter is changed twice.
    /// </summary>
    public static int Between(string a, string b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        var (before, last, row) = (new int[b.Length + 1], new int[b.Length + 1], Enumerable.Range(0, b.Length + 1).ToArray());
        for (var i = 1; i <= a.Length; i++)
        {
            (before, last, row) = (last, row, before);               // last[j]: distance of a[..(i - 1)] and b[..j]
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                row[j] = Math.Min(last[j - 1] + (Same(i - 1, j - 1) ? 0 : 1), 1 + Math.Min(last[j], row[j - 1]));
                if (i > 1 && j > 1 && Same(i - 1, j - 2) && Same(i - 2, j - 1))
                    row[j] = Math.Min(row[j], before[j - 2] + 1);
            }
        }

        return row[b.Length];

        bool Same(int i, int j) => char.ToLowerInvariant(a[i]) == char.ToLowerInvariant(b[j]);
    }

    /// <summary>
    /// Whether somebody who wrote <paramref name="name"/> may have meant <paramref name="known"/>: it is its beginning, or half of its
    /// letters are right at least. A wrong guess misleads more than none. The dashes of an option are no letters.
    /// </summary>
    public static bool IsNear(string name, string known)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(known);
        var (letters, wanted) = (name.TrimStart('-'), known.TrimStart('-'));
        var distance = Between(name, known);
        return letters.Length > 1 && wanted.StartsWith(letters, StringComparison.OrdinalIgnoreCase)
            || distance < letters.Length && 2 * distance <= Math.Max(letters.Length, wanted.Length);
    }

    /// <summary>The nearest of <paramref name="names"/>; null where none of them is near enough to have been meant.</summary>
    public static string? Nearest(string name, IEnumerable<string> names) =>
        names.Where(n => IsNear(name, n)).MinBy(n => Between(name, n));

    /// <summary>The end of a message about an unknown name: "did you mean list?", else "there are list and status".</summary>
    public static string Suggest(string name, IEnumerable<string> names)
    {
        var known = names.ToList();
        return Nearest(name, known) is { } nearest ? $"did you mean {nearest}?"
            : known.Count switch
            {
                0 => "there are none",
                1 => $"there is only {known[0]}",
                _ => $"there are {string.Join(", ", known.SkipLast(1))} and {known[^1]}",
            };
    }
}
