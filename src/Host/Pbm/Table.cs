namespace Elastic.Host.Pbm;

/// <summary>
/// Lays rows out in columns for a console of 100 columns: each as wide as needed; where that is too wide, the widest column shrinks
/// and its texts end in an ellipsis. The first column, which names the row, is cut only when no other can be cut.
/// </summary>
internal static class Table
{
    /// <summary>Columns of the console.</summary>
    public const int Width = 100;

    private const string Gap = "  ";
    private const int Narrowest = 8;

    /// <summary>The head and the rows, one line each, without trailing blanks.</summary>
    /// <param name="head">Names of the columns. A name that begins with '>' marks a column of numbers, which is right-aligned.</param>
    /// <param name="rows">Each as long as <paramref name="head"/>.</param>
    public static IReadOnlyList<string> Lay(IReadOnlyList<string> head, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        var isRight = head.Select(h => h.StartsWith('>')).ToArray();
        IReadOnlyList<string>[] all = [[.. head.Select(h => h.TrimStart('>'))], .. rows];
        var widths = Enumerable.Range(0, head.Count).Select(c => all.Max(row => row[c].Length)).ToArray();
        for (var over = widths.Sum() + Gap.Length * (head.Count - 1) - Width; over > 0; over--)
        {
            var rest = Enumerable.Range(1, head.Count - 1);
            var widest = rest.Any(c => widths[c] > Narrowest) ? rest.MaxBy(c => widths[c]) : 0;
            widths[widest]--;
        }

        return [.. all.Select(row => string.Join(Gap, row.Select((cell, c) => Fit(cell, widths[c], isRight[c]))).TrimEnd())];
    }

    private static string Fit(string cell, int width, bool isRight)
    {
        var text = cell.Length > width ? cell[..(width - 1)] + '…' : cell;
        return isRight ? text.PadLeft(width) : text.PadRight(width);
    }
}
