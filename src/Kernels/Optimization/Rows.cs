namespace Elastic.Kernels.Optimization;

/// <summary>Rows of a matrix as pieces of parallel work, each row by itself.</summary>
internal static class Rows
{
    // Elements of a piece: some tens of microseconds.
    private const int Elements = 65_536;

    /// <summary>Does the work for each row.</summary>
    /// <param name="columns">Columns of a row: how much there is to do for it.</param>
    public static void Run(ThreadTeam team, int rows, int columns, Action<long> work)
    {
        var atOnce = Math.Max(1, Elements / Math.Max(1, columns));
        team.Run(new Pieces(work, rows, atOnce), (rows + atOnce - 1) / atOnce);
    }

    private readonly struct Pieces(Action<long> work, int rows, int atOnce) : IParallelWork
    {
        public void Run(int piece)
        {
            for (var row = piece * atOnce; row < Math.Min(rows, (piece + 1) * atOnce); row++)
                work(row);
        }
    }
}
