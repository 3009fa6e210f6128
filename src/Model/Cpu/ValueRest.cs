using Elastic.Model.Tapes;

namespace Elastic.Model.Cpu;

/// <summary>
/// A value of 16 bits that nothing reads for some time: it is kept in its 16 bits meanwhile. Operations work on fp32, in which the value
/// has been rounded already, so it is the same number afterwards.
/// </summary>
/// <param name="After">The step of <see cref="PassSchedule"/> after which the rest begins.</param>
/// <param name="Before">The step before which it ends.</param>
internal sealed record ValueRest(Value Value, int After, int Before)
{
    // A rest of a step or two would save nothing.
    private const int Shortest = 4;

    /// <summary>
    /// The rests of a training: of what forward passes read for the last time, and backward passes later. What is computed again for its
    /// backward pass is not kept at all.
    /// </summary>
    public static IReadOnlyList<ValueRest> Of(Tape tape, IReadOnlyList<PassStep> steps)
    {
        // What other ranks of a tensor group may read stays as it is.
        if (!tape.Precision.IsNarrow || tape.Purpose != TapePurpose.Training || tape.Share is not null)
            return [];
        Dictionary<Value, int> lastForward = [], firstBackward = [];
        var isForward = true;
        for (var now = 0; now < steps.Count; now++)
        {
            var (operation, kind) = (tape.Operations[steps[now].Index], steps[now].Kind);
            isForward &= kind == PassKind.Forward;
            var read = kind == PassKind.Backward ? operation.KeptForBackward : operation.Inputs;
            foreach (var value in operation.Output is { } made && kind != PassKind.Backward ? read.Append(made) : read)
            {
                if (isForward)
                    lastForward[value] = now;
                else
                    firstBackward.TryAdd(value, now);
            }
        }
        var again = steps.Where(s => s.Kind == PassKind.Recompute).Select(s => tape.Operations[s.Index].Output).ToHashSet();
        return
        [
            .. from value in firstBackward.Keys
               where tape.IsNarrow(value) && !again.Contains(value)
               let rest = new ValueRest(value, lastForward[value], firstBackward[value])
               where rest.Before - rest.After >= Shortest
               select rest,
        ];
    }
}
