using Elastic.Messages.Settings;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
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
/// over elements once is not counted. Of a pipeline those of the stage that has the most; of a tensor group those of a rank.
/// </param>
public sealed record PassPlan(
    double ActivationBytes, double GradientBytes, double LogitBytes, double ScratchBytes, double EmbeddingBytes, double FlopsOfMicroBatch)
{
    // A plan of more rows than anybody has memory for is not made: from there on they grow with the sequences.
    private const int MostRows = 1 << 24;

    /// <summary>
    /// What the device of a pipeline that sends the most gives its neighbours for each micro-batch, and what a rank of a tensor group
    /// copies of the others': activations and their gradients; 0 where there is no split.
    /// </summary>
    public double CutBytesOfMicroBatch { get; init; }

    /// <summary>Memory of the stage of a pipeline that takes the most; the other numbers are what its devices take on average.</summary>
    public double MostBytes { get; init; }

    /// <summary>Memory, all together.</summary>
    public double Bytes => ActivationBytes + GradientBytes + LogitBytes + ScratchBytes + EmbeddingBytes;

    /// <summary>The plan of micro-batches that go through a network together.</summary>
    /// <param name="shape">Their number, and the sequences and tokens of each.</param>
    /// <param name="threads">Threads of the device.</param>
    /// <param name="stages">Stages of a pipeline; 1 for none.</param>
    /// <param name="units">What goes through it in a step, each of this shape.</param>
    /// <param name="tensor">Devices that share each layer; 1 for none.</param>
    /// <param name="chunks">Pieces of the network that each stage has.</param>
    public static PassPlan Of(
        IArchitecture architecture, BatchShape shape, int threads, RecomputeMode recompute, Precision precision, int stages = 1,
        int units = 1, int tensor = 1, int chunks = 1)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        var (tape, scale) = Planned(architecture, shape, precision, tensor);
        return stages == 1 ? Of(tape, threads, recompute, scale, null, 1)
            : OfAll([.. OfStages(tape, scale, architecture, threads, recompute, stages, units, tensor, chunks)]);
    }

    /// <summary>The plan of each stage of a pipeline by itself, the first stage first.</summary>
    /// <inheritdoc cref="Of(IArchitecture, BatchShape, int, RecomputeMode, Precision, int, int, int, int)" path="/param"/>
    public static IReadOnlyList<PassPlan> OfStages(
        IArchitecture architecture, BatchShape shape, int threads, RecomputeMode recompute, Precision precision, int stages, int units,
        int chunks = 1)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        var (tape, scale) = Planned(architecture, shape, precision, 1);
        return [.. OfStages(tape, scale, architecture, threads, recompute, stages, units, 1, chunks)];
    }

    private static (Tape Tape, double Scale) Planned(IArchitecture architecture, BatchShape shape, Precision precision, int tensor)
    {
        var planned = shape with
        {
            Sequences = (int)Math.Clamp((long)MostRows / shape.Tokens, 1, shape.Sequences),
            Sources = architecture.SourceContext,
        };
        // The first rank has no less than the others.
        var tape = new Tape(
            TapePurpose.Training, planned, new FlatLayout(architecture.Parameters), 0, precision,
            tensor == 1 ? null : new TensorShare(0, tensor));
        architecture.Record(tape);
        return (tape, (double)shape.Sequences / planned.Sequences);
    }

    private static IEnumerable<PassPlan> OfStages(
        Tape tape, double scale, IArchitecture architecture, int threads, RecomputeMode recompute, int stages, int units, int tensor,
        int chunks) =>
        TapeStage.Cut(architecture, stages * chunks, tensor).Select((piece, number) => (
                Stage: number % stages, Plan: Of(tape, threads, recompute, scale, piece, Math.Min(
                    units, PipelineSchedule.InFlight(number % stages, stages, chunks, number / stages)))))
            .GroupBy(p => p.Stage, p => p.Plan).Select(pieces => OfStage([.. pieces]));

    // All pieces keep what they do; one at a time works.
    private static PassPlan OfStage(IReadOnlyList<PassPlan> pieces)
    {
        var most = pieces.MaxBy(p => p.Bytes - p.KeptBytes - p.KeptGradientBytes)!;
        var others = pieces.Where(p => !ReferenceEquals(p, most)).ToList();
        return most with
        {
            ActivationBytes = most.ActivationBytes + others.Sum(p => p.KeptBytes),
            GradientBytes = most.GradientBytes + others.Sum(p => p.KeptGradientBytes),
            EmbeddingBytes = pieces.Sum(p => p.EmbeddingBytes),
            FlopsOfMicroBatch = pieces.Sum(p => p.FlopsOfMicroBatch),
            CutBytesOfMicroBatch = pieces.Sum(p => p.CutBytesOfMicroBatch),
        };
    }

    // Of what a piece of the network keeps between its two passes of all micro-batches that are under way; gradients for its neighbour.
    private double KeptBytes { get; init; }

    private double KeptGradientBytes { get; init; }

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
        var ofRanks = plan.Steps.Sum(s => tape.Operations[s.Index].ElementsOfRanks(s.Kind));
        // Over a cut go activations one way, and their gradients the other, in fp32.
        var (outgoing, incoming) = (Elements(stage?.Outgoing, _ => true), Elements(stage?.Incoming, tape.NeedsGradient));
        double Bytes(long floats) => scale * sizeof(float) * floats;
        return new PassPlan(
            Bytes(use.Activations + (inFlight - 1) * plan.KeptFloats), Bytes(use.Gradients + inFlight * incoming), Bytes(use.Logits),
            Bytes(use.Scratch + use.Gaps) + products,
            // A rank has the rows of its tokens, all of them at most.
            Bytes(operations.Where(o => o.SumsRowsApart).Sum(o => (long)o.Output!.AllRows * o.Output.Columns)),
            scale * plan.Steps.Sum(s => s.Kind == PassKind.Backward
                ? tape.Operations[s.Index].BackwardFlops(tape) : tape.Operations[s.Index].ForwardFlops(tape)) / planned.MicroBatches)
        {
            CutBytesOfMicroBatch = Bytes(outgoing + incoming + ofRanks) / planned.MicroBatches,
            KeptBytes = Bytes(inFlight * plan.KeptFloats),
            KeptGradientBytes = Bytes(inFlight * incoming),
        };

        long Elements(IReadOnlyList<int>? crossing, Predicate<Value> which) =>
            (crossing ?? []).Select(i => tape.Operations[i].Output!).Where(v => which(v)).Sum(v => v.Count);
    }
}
