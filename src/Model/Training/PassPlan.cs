using Elastic.Messages.Settings;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// What a forward and backward pass takes of a CPU device besides parameters and their gradients, read off the plan that gives it its
/// memory (<see cref="MemoryPlan"/>), and its arithmetic. The parts of memory are those of the step at which most of it is in use. All in
/// bytes, as doubles: settings may ask for more than 64 bits can count.
/// </summary>
/// <param name="ActivationBytes">What is kept for the backward pass.</param>
/// <param name="GradientBytes">Gradients of activations.</param>
/// <param name="LogitBytes">The head's logits, as many rows of them as are there at once.</param>
/// <param name="ScratchBytes">What operators and products work with, and gaps between all of these.</param>
/// <param name="EmbeddingBytes">Rows of gradients of embeddings in a pass, which are summed apart.</param>
/// <param name="FlopsOfMicroBatch">
/// Floating-point operations of the products of a micro-batch, two for each multiply-add, those that are computed again included. What goes
/// over elements once is not counted. Of a pipeline those of the stage that has the most.
/// </param>
public sealed record PassPlan(
    double ActivationBytes, double GradientBytes, double LogitBytes, double ScratchBytes, double EmbeddingBytes, double FlopsOfMicroBatch)
{
    // A plan of more rows than anybody has memory for is not made: from there on they grow with the sequences.
    private const int MostRows = 1 << 24;

    /// <summary>
    /// Activations and their gradients that a device gives others for each micro-batch: in a pipeline, the one that gives its neighbours
    /// the most; in a tensor group, each. 0 where devices have whole networks.
    /// </summary>
    public double CutBytesOfMicroBatch { get; init; }

    /// <summary>Memory of the stage of a pipeline that takes the most; the other numbers are what its devices take on average.</summary>
    public double MostBytes { get; init; }

    /// <summary>Memory, all together.</summary>
    public double Bytes => ActivationBytes + GradientBytes + LogitBytes + ScratchBytes + EmbeddingBytes;

    /// <summary>Of micro-batches that go through a network together.</summary>
    /// <param name="shape">Their number, and the sequences and tokens of each.</param>
    /// <param name="threads">Of the device.</param>
    /// <param name="split">How the network is split over devices; null where each has all of it.</param>
    /// <param name="units">What goes through a pipeline in a step, each of this shape.</param>
    public static PassPlan Of(
        IArchitecture architecture, BatchShape shape, int threads, RecomputeMode recompute, Precision precision,
        SplitInUse? split = null, int units = 1)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        var planned = shape with
        {
            Sequences = (int)Math.Clamp((long)MostRows / shape.Tokens, 1, shape.Sequences),
            Sources = architecture.SourceContext,
        };
        var (stages, ranks) = (split?.Stages ?? 1, split?.Tensor ?? 1);
        // The first rank has as much as any.
        var tape = new Tape(
            TapePurpose.Training, planned, new FlatLayout(architecture.Parameters), 0, precision,
            ranks > 1 ? new TensorShare(0, ranks) : null);
        architecture.Record(tape);
        var scale = (double)shape.Sequences / planned.Sequences;
        return stages == 1 ? Of(tape, threads, recompute, scale, null, 1)
            : OfAll([.. TapeStage.Cut(architecture, stages).Select((stage, number) => Of(
                tape, threads, recompute, scale, stage, Math.Min(units, PipelineSchedule.InFlight(number, stages))))]);
    }

    // What a rank gives the others of its group: in each exchange of rows, its share of them to each (Korthikanti et al. 2022, 4.2.2).
    private static double SharedBytes(Tape tape) => tape.Share is not { Ranks: var ranks } ? 0
        : sizeof(float) * (ranks - 1.0) / ranks * tape.Operations.Where(o => o is GatherRowsOperation or FoldRanksOperation).Sum(
            o => (2.0 - (tape.NeedsGradient(o.Inputs[0]) ? 0 : 1)) * Math.Max(o.Inputs[0].Count, o.Output!.Count));

    // On average, but for what decides how long a step takes.
    private static PassPlan OfAll(IReadOnlyList<PassPlan> stages) => new(
        stages.Average(s => s.ActivationBytes), stages.Average(s => s.GradientBytes), stages.Average(s => s.LogitBytes),
        stages.Average(s => s.ScratchBytes), stages.Average(s => s.EmbeddingBytes), stages.Max(s => s.FlopsOfMicroBatch))
    {
        CutBytesOfMicroBatch = stages.Max(s => s.CutBytesOfMicroBatch),
        MostBytes = stages.Max(s => s.Bytes),
    };

    // Of a whole tape, or of a stage that has so many passes in flight.
    private static PassPlan Of(Tape tape, int threads, RecomputeMode recompute, double scale, TapeStage? stage, int inFlight)
    {
        var (planned, plan) = (tape.Shape, new MemoryPlan(tape, threads, recompute, stage));
        List<Operation> operations = [.. stage is null ? tape.Operations : tape.Operations.Take(stage.First..stage.End)];
        var (use, products) = (plan.Fullest(), operations.Max(o => o.ProductBytes(planned, threads)));
        // Over a cut go activations one way, and their gradients the other, in fp32.
        var (outgoing, incoming) = (Elements(stage?.Outgoing, _ => true), Elements(stage?.Incoming, tape.NeedsGradient));
        double Bytes(long floats) => scale * sizeof(float) * floats;
        return new PassPlan(
            Bytes(use.Activations + (inFlight - 1) * plan.KeptFloats), Bytes(use.Gradients + inFlight * incoming), Bytes(use.Logits),
            Bytes(use.Scratch + use.Gaps) + products,
            Bytes(operations.Where(o => o.SumsRowsApart).Sum(o => o.Output!.Count)),
            scale * plan.Steps.Sum(s => s.Kind == PassKind.Backward
                ? tape.Operations[s.Index].BackwardFlops(tape) : tape.Operations[s.Index].ForwardFlops(tape)) / planned.MicroBatches)
        {
            CutBytesOfMicroBatch = (Bytes(outgoing + incoming) + scale * SharedBytes(tape)) / planned.MicroBatches,
        };

        long Elements(IReadOnlyList<int>? crossing, Predicate<Value> which) =>
            (crossing ?? []).Select(i => tape.Operations[i].Output!).Where(v => which(v)).Sum(v => v.Count);
    }
}
