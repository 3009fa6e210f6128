using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Model.Tapes;

namespace Elastic.Model.Cpu;

/// <summary>What is done with an operation at a moment of a pass.</summary>
internal enum PassKind
{
    /// <summary>Its output is made.</summary>
    Forward,

    /// <summary>Its output is made again, for the backward passes that follow.</summary>
    Recompute,

    /// <summary>The gradients of its inputs and parameters are made.</summary>
    Backward,
}

/// <summary>A moment of a pass.</summary>
/// <param name="Index">Of the operation on the tape.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PassStep(int Index, PassKind Kind);

/// <summary>
/// The order in which the operations of a tape run: forwards and, in training, backwards. Where blocks are recomputed (Chen et al. 2016,
/// section 3), what a block has made is not kept for its backward pass, but for what later blocks read; its forward pass runs again just
/// before its backward pass, as far as that needs it. The same operations on the same inputs give the same bits.
/// </summary>
internal static class PassSchedule
{
    /// <param name="recomputesBlocks">See <see cref="Tape.BeginBlock"/>.</param>
    public static IReadOnlyList<PassStep> Of(Tape tape, bool recomputesBlocks)
    {
        var count = tape.Operations.Count;
        List<PassStep> steps = [.. Enumerable.Range(0, count).Select(i => new PassStep(i, PassKind.Forward))];
        for (var i = count - 1; tape.Purpose == TapePurpose.Training && i >= 0; i--)
        {
            if (recomputesBlocks && tape.Blocks.FirstOrDefault(b => b.End == i + 1) is { Count: > 0 } block)
                steps.AddRange(Needed(tape, block).Select(again => new PassStep(again, PassKind.Recompute)));
            steps.Add(new PassStep(i, PassKind.Backward));
        }
        return steps;
    }

    // The operations of a block whose results its backward pass reads, and those that these read in turn.
    private static List<int> Needed(Tape tape, TapeBlock block)
    {
        var operations = tape.Operations;
        var indices = Enumerable.Range(block.First, block.Count).ToList();
        bool HasGradient(int i) => operations[i].Output is not { } output || tape.NeedsGradient(output);
        var (wanted, needed) = (indices.Where(HasGradient).SelectMany(i => operations[i].KeptForBackward).ToHashSet(), new List<int>());
        foreach (var i in Enumerable.Reverse(indices))
        {
            var operation = operations[i];
            if (!(operation.Output is { } output && wanted.Contains(output)) && !(operation.SavedFloats > 0 && HasGradient(i)))
                continue;
            needed.Add(i);
            wanted.UnionWith(operation.Inputs);
            foreach (var input in operation.Inputs.Where(v => !indices.Exists(j => operations[j] == v.Producer)))
            {
                var overwrites = operations.FirstOrDefault(o => o.MadeInPlaceOf == input);
                Invariant.Holds(
                    overwrites is null, $"{overwrites?.GetType().Name} overwrites what a block reads, which cannot be computed again then");
            }
        }
        needed.Reverse();
        return needed;
    }
}
