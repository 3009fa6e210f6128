namespace Elastic.Foundation;

/// <summary>How many letters two names are apart (Levenshtein 1966): finds what a misspelt name was meant to be.</summary>
public static class EditDistance
{
    /// <summary>
    /// Insertions, deletions and replacements that turn <paramref name="a"/> into <paramref name="b"/>, whatever their case.
    /// </summary>
    public static int Between(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();       // row[j]: distance of a[..i] and b[..j]
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var replaced = diagonal + (char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[b.Length];
    }

    /// <summary>The nearest of <paramref name="names"/>.</summary>
    public static string Nearest(string name, IEnumerable<string> names) => names.MinBy(n => Between(name, n))!;
}
