using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// Which rows each token of a batch stands in: the distinct tokens in increasing order, and for each its rows in increasing order. It says
/// who adds what to a token table's gradient. Lies in the caller's memory; nothing is allocated.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly unsafe struct EmbeddingPlan
{
    private const int DigitBits = 11, Digits = 1 << DigitBits;

    private EmbeddingPlan(int* tokens, int* starts, int* rows, int count)
    {
        Tokens = tokens;
        Starts = starts;
        Rows = rows;
        Count = count;
    }

    /// <summary>(Count): the distinct tokens, increasing.</summary>
    public int* Tokens { get; }

    /// <summary>(Count + 1): rows of token k are Rows[Starts[k]] to Rows[Starts[k + 1] - 1].</summary>
    public int* Starts { get; }

    /// <summary>All rows, by token, then increasing.</summary>
    public int* Rows { get; }

    /// <summary>Distinct tokens.</summary>
    public int Count { get; }

    /// <summary>How many integers of memory a plan of so many rows takes.</summary>
    public static int WorkspaceInts(int rows) => checked(4 * rows + 1 + Digits);

    /// <summary>Sorts the rows by token, stably: a radix sort, least significant digits first.</summary>
    /// <param name="workspace"><see cref="WorkspaceInts"/> integers, which the plan lives in.</param>
    /// <param name="tokens">(rows), each from [0, vocabulary).</param>
    /// <exception cref="ArgumentOutOfRangeException">A token is outside of the vocabulary.</exception>
    public static EmbeddingPlan Build(int* workspace, int* tokens, int rows, int vocabulary)
    {
        int* from = workspace, into = from + rows, distinct = into + rows, starts = distinct + rows, counts = starts + rows + 1;
        for (var row = 0; row < rows; row++)
        {
            if ((uint)tokens[row] >= (uint)vocabulary)
                throw new ArgumentOutOfRangeException(nameof(tokens), tokens[row], $"row {row}: the vocabulary has {vocabulary} tokens");
            from[row] = row;
        }
        for (var shift = 0; shift == 0 || vocabulary - 1 >> shift > 0; shift += DigitBits)
        {
            new Span<int>(counts, Digits).Clear();
            for (var i = 0; i < rows; i++)
                counts[tokens[i] >> shift & Digits - 1]++;
            var before = 0;
            for (var digit = 0; digit < Digits; digit++)
                (counts[digit], before) = (before, before + counts[digit]);
            for (var i = 0; i < rows; i++)
                into[counts[tokens[from[i]] >> shift & Digits - 1]++] = from[i];
            var sorted = into;
            into = from;
            from = sorted;
            if (shift + DigitBits > 30)
                break;
        }
        var count = 0;
        for (var i = 0; i < rows; i++)
        {
            if (i > 0 && tokens[from[i]] == tokens[from[i - 1]])
                continue;
            distinct[count] = tokens[from[i]];
            starts[count++] = i;
        }
        starts[count] = rows;
        return new(distinct, starts, from, count);
    }
}
