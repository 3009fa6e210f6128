using Elastic.Messages.Settings;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
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
/// over elements once is not counted.
/// </param>
public sealed record PassPlan(
    double ActivationBytes, double GradientBytes, double LogitBytes, double ScratchBytes, double EmbeddingBytes, double FlopsOfMicroBatch)
{
    // A plan of more rows than anybody has memory for is not made: from there on they grow with the sequences.
    private const int MostRows = 1 << 24;

    /// <summary>Memory, all together.</summary>
    public double Bytes => ActivationBytes + GradientBytes + LogitBytes + ScratchBytes + EmbeddingBytes;

    /// <summary>Of micro-batches that go through a network together.</summary>
    /// <param name="shape">Their number, and the sequences and tokens of each.</param>
    /// <param name="threads">Of the device.</param>
    public static PassPlan Of(IArchitecture architecture, BatchShape shape, int threads, RecomputeMode recompute, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        var planned = shape with
        {
            Sequences = (int)Math.Clamp((long)MostRows / shape.Tokens, 1, shape.Sequences),
            Sources = architecture.SourceContext,
        };
        var tape = new Tape(TapePurpose.Training, planned, new FlatLayout(architecture.Parameters), 0, precision);
        architecture.Record(tape);
        var (plan, scale) = (new MemoryPlan(tape, threads, recompute), (double)shape.Sequences / planned.Sequences);
        var (use, products) = (plan.Fullest(), tape.Operations.Max(o => o.ProductBytes(planned, threads)));
        double Bytes(long floats) => scale * sizeof(float) * floats;
        return new PassPlan(
            Bytes(use.Activations), Bytes(use.Gradients), Bytes(use.Logits), Bytes(use.Scratch + use.Gaps) + products,
            Bytes(tape.Operations.Where(o => o.SumsRowsApart).Sum(o => o.Output!.Count)),
            scale * plan.Steps.Sum(s => s.Kind == PassKind.Backward
                ? tape.Operations[s.Index].BackwardFlops(tape) : tape.Operations[s.Index].ForwardFlops(tape)) / planned.MicroBatches);
    }
}
