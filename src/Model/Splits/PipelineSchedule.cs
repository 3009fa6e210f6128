using System.Runtime.InteropServices;

namespace Elastic.Model.Splits;

/// <summary>A piece of a stage's work.</summary>
/// <param name="Unit">The number of the micro-batches that go through together.</param>
/// <param name="IsForward">Their forward pass; otherwise the backward pass.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct StageWork(int Unit, bool IsForward);

/// <summary>
/// One forward, one backward (Narayanan et al. 2021, section 2.2.1: PipeDream-Flush): a stage begins with as many forward passes as there
/// are stages behind it, and then does a forward and a backward pass in turn, so that it keeps the activations of as many units as there
/// are stages from it to the end, however many a step has. When each begins is decided by its input alone.
/// </summary>
public static class PipelineSchedule
{
    /// <summary>Of what share of the time a stage waits, where all take as long: (p - 1) / (m + p - 1), section 2.2.1.</summary>
    /// <param name="stages">p.</param>
    /// <param name="units">m: what goes through one after another.</param>
    public static double Bubble(int stages, int units) => (stages - 1.0) / (units + stages - 1);

    /// <summary>The units that a stage keeps activations of, at most.</summary>
    public static int InFlight(int stage, int stages) => stages - stage;

    /// <summary>What a stage does, in order.</summary>
    public static IEnumerable<StageWork> Of(int stage, int stages, int units)
    {
        var ahead = Math.Min(stages - 1 - stage, units);
        for (var unit = 0; unit < ahead; unit++)
            yield return new StageWork(unit, true);
        for (var unit = 0; unit < units; unit++)
        {
            if (unit + ahead < units)
                yield return new StageWork(unit + ahead, true);
            yield return new StageWork(unit, false);
        }
    }
}
