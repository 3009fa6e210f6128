using Elastic.Foundation;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Splits;

/// <summary>
/// A stage of a pipeline: consecutive operations of a tape. A value that several later stages read goes through those between: each hands
/// it on, and its gradient comes back the same way, so that its sum has the order that it has on one device.
/// </summary>
/// <param name="First">Index of the first operation.</param>
/// <param name="End">The index after the last one.</param>
/// <param name="Incoming">The operations before the stage of which it, or a later one, reads the outputs; ascending.</param>
/// <param name="Outgoing">The operations before its end of which later stages read the outputs; ascending.</param>
public sealed record TapeStage(int First, int End, IReadOnlyList<int> Incoming, IReadOnlyList<int> Outgoing)
{
    /// <summary>The most stages that a network can be cut into: it is cut before and after blocks.</summary>
    public static int Most(IArchitecture architecture) => CutsOf(Record(architecture, 1)).Count - 1;

    /// <summary>
    /// Cuts a network into stages so that the largest cost of one is as small as can be. The cost is that of the products of both passes;
    /// stages with the head or an embedding have fewer blocks. The same for all shapes of micro-batches.
    /// </summary>
    /// <param name="count">1 to <see cref="Most"/>.</param>
    /// <param name="tensor">Devices that share each layer; 1 for none. They all record the same operations.</param>
    /// <exception cref="ElasticException">So many devices cannot share the layers.</exception>
    public static IReadOnlyList<TapeStage> Cut(IArchitecture architecture, int count, int tensor = 1)
    {
        if (tensor > 1)
            TensorSplit.Check(architecture, tensor);
        return Cut(Record(architecture, tensor), count);
    }

    /// <inheritdoc cref="Cut(IArchitecture, int, int)"/>
    internal static IReadOnlyList<TapeStage> Cut(Tape tape, int count)
    {
        var cuts = CutsOf(tape);
        Invariant.Holds(count >= 1 && count < cuts.Count, $"a network with {cuts.Count - 1} pieces has that many stages at most");
        int[] at = [0, .. Cheapest(tape, cuts, count), tape.Operations.Count];
        return
        [
            .. Enumerable.Range(0, count).Select(i => new TapeStage(at[i], at[i + 1], Crossing(tape, at[i]), Crossing(tape, at[i + 1]))),
        ];
    }

    /// <summary>Floating-point operations of its products in both passes, two for each multiply-add.</summary>
    public double Flops(Tape tape)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return Flops(tape, First, End);
    }

    /// <summary>Elements that go over the cut behind it in each direction.</summary>
    public long OutgoingElements(Tape tape)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return Outgoing.Sum(i => tape.Operations[i].Output!.Count);
    }

    /// <summary>
    /// What goes over a cut, in the order in which it is packed: forwards values, backwards the gradients of those that need one.
    /// </summary>
    /// <param name="isBehind">Over the cut behind the stage; else over that before it.</param>
    public IEnumerable<(int Operation, Value Value)> Over(Tape tape, bool isForward, bool isBehind)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return (isBehind ? Outgoing : Incoming).Select(i => (i, tape.Operations[i].Output!))
            .Where(v => isForward || tape.NeedsGradient(v.Item2));
    }

    private static double Flops(Tape tape, int first, int end) =>
        Enumerable.Range(first, end - first).Sum(i => tape.Operations[i].ForwardFlops(tape) + tape.Operations[i].BackwardFlops(tape));

    // Before which operations a tape may be cut, with both ends.
    private static List<int> CutsOf(Tape tape) =>
        [.. tape.Blocks.SelectMany(b => new[] { b.First, b.End }).Append(0).Append(tape.Operations.Count).Distinct().Order()];

    // The cuts between stages. From the end: what the best cuts of the rest cost, for each number of stages and each place to begin at.
    private static List<int> Cheapest(Tape tape, List<int> cuts, int count)
    {
        var pieces = cuts.Zip(cuts.Skip(1), (first, end) => Flops(tape, first, end)).ToArray();
        var best = new (double Cost, int Next)[count + 1, pieces.Length + 1];
        for (var stages = 1; stages <= count; stages++)
        {
            for (var from = 0; from <= pieces.Length - stages; from++)
            {
                best[stages, from] = (double.PositiveInfinity, 0);
                var own = 0.0;
                for (var next = from + 1; next <= pieces.Length - stages + 1; next++)
                {
                    own += pieces[next - 1];
                    var cost = stages == 1 ? next == pieces.Length ? own : double.PositiveInfinity
                        : Math.Max(own, best[stages - 1, next].Cost);
                    if (cost < best[stages, from].Cost)
                        best[stages, from] = (cost, next);
                }
            }
        }
        var at = new List<int>();
        for (int stages = count, from = 0; stages > 1; stages--)
            at.Add(cuts[from = best[stages, from].Next]);
        return at;
    }

    private static List<int> Crossing(Tape tape, int cut)
    {
        var read = tape.Operations.Skip(cut).SelectMany(o => o.Inputs).ToHashSet();
        return [.. Enumerable.Range(0, cut).Where(i => tape.Operations[i].Output is { } output && read.Contains(output))];
    }

    // One sequence: all operations grow alike with their number.
    private static Tape Record(IArchitecture architecture, int tensor)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        var tape = new Tape(
            TapePurpose.Training, new BatchShape(1, 1, architecture.Context, architecture.SourceContext),
            new FlatLayout(architecture.Parameters), share: tensor == 1 ? null : new TensorShare(0, tensor));
        architecture.Record(tape);
        return tape;
    }
}
