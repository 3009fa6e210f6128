using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Operators;
using Elastic.Model.Splits;
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
/// <param name="Index">Index of the operation on the tape.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PassStep(int Index, PassKind Kind);

/// <summary>
/// The order in which the operations of a tape run: forwards and, in training, backwards. What a block has made
/// (<see cref="Tape.BeginBlock"/>) need not be kept for its backward pass (Chen et al. 2016, section 3). The same operations on the same
/// inputs give the same bits.
///
///   Blocks  What goes from block to block is kept. The rest of a block is made again just before its backward pass, as far as that needs
///           it.
///   Full    Blocks that follow one another are cut into groups of ⌈√L⌉ of them (section 4.2), and what goes from group to group is kept.
///           Before the backward pass of a group, what goes from block to block in it is made again; then it is as with Blocks.
/// </summary>
internal static class PassSchedule
{
    /// <param name="recompute">What is made again in place of being kept.</param>
    /// <param name="stage">The part of the tape that runs; null for all of it.</param>
    public static IReadOnlyList<PassStep> Of(Tape tape, RecomputeMode recompute, TapeStage? stage = null)
    {
        var (start, end) = (stage?.First ?? 0, stage?.End ?? tape.Operations.Count);
        List<PassStep> steps = [.. Enumerable.Range(start, end - start).Select(i => new PassStep(i, PassKind.Forward))];
        if (tape.Purpose != TapePurpose.Training)
            return steps;
        List<TapeBlock> own = [.. tape.Blocks.Where(b => b.First >= start && b.End <= end)];
        var blocks = own.Where(_ => recompute != RecomputeMode.None).ToDictionary(b => b.End);
        var groups = GroupsOf(own).Where(_ => recompute == RecomputeMode.Full).ToDictionary(g => g[^1].End);
        for (var i = end - 1; i >= start; i--)
        {
            if (groups.TryGetValue(i + 1, out var group))
                steps.AddRange(OfGroup(tape, group).Select(again => new PassStep(again, PassKind.Recompute)));
            if (blocks.TryGetValue(i + 1, out var block))
                steps.AddRange(OfBlock(tape, block).Select(again => new PassStep(again, PassKind.Recompute)));
            // A copy of all ranks' rows is made again, not kept.
            steps.AddRange(GathersOf(tape, i).Select(again => new PassStep(again, PassKind.Recompute)));
            steps.Add(new PassStep(i, PassKind.Backward));
        }
        return steps;
    }

    // Each run of L blocks that follow one another, in groups of ⌈√L⌉: as many are kept as are made again at once.
    private static IEnumerable<TapeBlock[]> GroupsOf(List<TapeBlock> blocks)
    {
        for (var first = 0; first < blocks.Count;)
        {
            var end = first + 1;
            while (end < blocks.Count && blocks[end].First == blocks[end - 1].End)
                end++;
            foreach (var group in blocks.Take(first..end).Chunk((int)Math.Ceiling(Math.Sqrt(end - first))))
                yield return group;
            first = end;
        }
    }

    // The operations of a block whose results its backward pass reads, and those that these read in turn.
    private static List<int> OfBlock(Tape tape, TapeBlock block)
        => Needed(tape, block, KeptOf(tape, block), i => tape.Operations[i].SavedFloats > 0 && HasGradient(tape, i));

    // The operations of a group before its last block that lead to what its later blocks read.
    private static List<int> OfGroup(Tape tape, TapeBlock[] group)
    {
        var before = new TapeBlock(group[0].First, group[^1].First - group[0].First);
        return Needed(tape, before, group.Skip(1).SelectMany(ReadFromOutside), _ => false);

        IEnumerable<Value> ReadFromOutside(TapeBlock block)
        {
            var own = Indices(block).Select(i => tape.Operations[i]).ToHashSet();
            return KeptOf(tape, block).Concat(OfBlock(tape, block).SelectMany(i => tape.Operations[i].Inputs))
                .Where(v => !own.Contains(v.Producer));
        }
    }

    // Of consecutive operations those that make what is wanted, or save what is, and those that these read in turn.
    private static List<int> Needed(Tape tape, TapeBlock of, IEnumerable<Value> values, Predicate<int> isSavedWanted)
    {
        var operations = tape.Operations;
        var (wanted, needed, own) = (values.ToHashSet(), new List<int>(), Indices(of).Select(i => operations[i]).ToHashSet());
        foreach (var i in Enumerable.Reverse(Indices(of)))
        {
            var operation = operations[i];
            if (!(operation.Output is { } output && wanted.Contains(output)) && !isSavedWanted(i))
                continue;
            needed.Add(i);
            wanted.UnionWith(operation.Inputs);
            foreach (var input in operation.Inputs.Where(v => !own.Contains(v.Producer)))
            {
                var overwrites = operations.FirstOrDefault(o => o.MadeInPlaceOf == input);
                Invariant.Holds(
                    overwrites is null, $"{overwrites?.GetType().Name} overwrites what a block reads, which cannot be computed again then");
            }
        }
        needed.Reverse();
        return needed;
    }

    private static IEnumerable<Value> KeptOf(Tape tape, TapeBlock block)
        => Indices(block).Where(i => HasGradient(tape, i)).SelectMany(i => tape.Operations[i].KeptForBackward)
            .Select(v => v.Producer is GatherRowsOperation gather ? gather.Inputs[0] : v);

    private static IEnumerable<int> GathersOf(Tape tape, int i) => tape.Share is null || !HasGradient(tape, i) ? []
        : tape.Operations[i].KeptForBackward.Where(v => v.Producer is GatherRowsOperation)
            .Select(v => tape.Operations.Index().First(o => o.Item == v.Producer).Index);

    private static bool HasGradient(Tape tape, int i) => tape.Operations[i].Output is not { } output || tape.NeedsGradient(output);

    private static IEnumerable<int> Indices(TapeBlock block) => Enumerable.Range(block.First, block.Count);
}
