using System.Runtime.InteropServices;

namespace Elastic.Model.Splits;

/// <summary>A piece of a stage's work.</summary>
/// <param name="Unit">The number of the micro-batches that go through together.</param>
/// <param name="IsForward">Their forward pass; otherwise the backward pass.</param>
/// <param name="Chunk">Through which of the stage's pieces of the network, in their order.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct StageWork(int Unit, bool IsForward, int Chunk = 0);

/// <summary>
/// One forward, one backward (Narayanan et al. 2021, section 2.2.1: PipeDream-Flush): a stage begins with as many forward passes as there
/// are stages behind it, and then does a forward and a backward pass in turn, so that it keeps the activations of as many units as there
/// are stages from it to the end, however many a step has. When each begins is decided by its input alone.
///
/// Interleaved (section 2.2.2): the network is cut into as many pieces for each stage as there are chunks, of which stage s of p has the
/// pieces s, s + p, s + 2 p … It takes p units through its first piece, then the same through the next, and so on; backwards the last piece
/// comes first. Where p does not divide the units, the last of them go as if the others were there.
/// </summary>
public static class PipelineSchedule
{
    /// <summary>
    /// The share of the time for which a stage waits, where all pieces take as long: (p - 1) / (v m + p - 1), sections 2.2.1 and 2.2.2.
    /// Where v > 1 and p does not divide m, it waits for the units that are not there, too, at most.
    /// </summary>
    /// <param name="stages">p.</param>
    /// <param name="units">m: what goes through one after another.</param>
    /// <param name="chunks">v: pieces of a stage.</param>
    public static double Bubble(int stages, int units, int chunks = 1)
    {
        double works = (double)units * chunks, all = chunks == 1 ? works : (double)Whole(units, stages) * chunks;
        return 1 - works / (all + stages - 1);
    }

    /// <summary>The units that a stage keeps activations of, at most, of one of its pieces.</summary>
    public static int InFlight(int stage, int stages, int chunks = 1, int chunk = 0)
    {
        if (chunks == 1)
            return stages - stage;
        var (kept, most) = (0, 0);
        // No more than two turns are ever under way.
        foreach (var work in Of(stage, stages, 4 * stages, chunks))
        {
            if (work.Chunk == chunk)
                most = Math.Max(most, kept += work.IsForward ? 1 : -1);
        }
        return most;
    }

    /// <summary>What a stage does, in order.</summary>
    public static IEnumerable<StageWork> Of(int stage, int stages, int units, int chunks = 1)
    {
        // In turns of as many units as there are stages.
        var all = (chunks == 1 ? units : Whole(units, stages)) * chunks;
        var ahead = Math.Min(chunks == 1 ? stages - 1 - stage : 2 * (stages - 1 - stage) + (chunks - 1) * stages, all);
        for (var i = 0; i < all + ahead; i++)
        {
            if (i < all && Work(i, true) is var forward && forward.Unit < units)
                yield return forward;
            if (i >= ahead && Work(i - ahead, false) is var backward && backward.Unit < units)
                yield return backward;
        }

        StageWork Work(int number, bool isForward)
        {
            if (chunks == 1)
                return new StageWork(number, isForward);
            var (turn, within) = Math.DivRem(number, stages * chunks);
            var chunk = within / stages;
            return new StageWork(turn * stages + within % stages, isForward, isForward ? chunk : chunks - 1 - chunk);
        }
    }

    private static int Whole(int units, int stages) => (units + stages - 1) / stages * stages;
}
