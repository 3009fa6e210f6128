using Elastic.Model.Cpu;

namespace Elastic.Model.Tapes;

/// <summary>
/// One operation on a tape: what it reads and makes, what its backward pass needs, and both passes on the CPU. Other devices read its
/// properties and compute it with operators of their own.
/// </summary>
public abstract class Operation
{
    /// <summary>The activations that it reads.</summary>
    public IReadOnlyList<Value> Inputs { get; protected init; } = [];

    /// <summary>What it makes; null for the last one, whose results leave the network.</summary>
    public Value? Output { get; protected init; }

    /// <summary>Names of the parameters that it reads.</summary>
    public IReadOnlyList<string> Parameters { get; protected init; } = [];

    /// <summary>
    /// The parameters whose gradients its backward pass writes. Those of a tied embedding's rows are kept apart, and added at the end.
    /// </summary>
    internal virtual IEnumerable<string> ParametersWritten => Parameters;

    /// <summary>The inputs and outputs that its backward pass reads again.</summary>
    internal virtual IEnumerable<Value> KeptForBackward => [];

    /// <summary>An input that nothing reads afterwards, in whose memory the output is made.</summary>
    internal virtual Value? MadeInPlaceOf => null;

    /// <summary>Inputs whose gradient is the output's.</summary>
    internal virtual IEnumerable<Value> GradientPassesTo => [];

    /// <summary>True where its backward pass can add to a gradient that another operation has begun.</summary>
    internal virtual bool CanAddToGradients => false;

    /// <summary>
    /// True where its backward pass makes the gradients of all inputs at once: each has memory where any of them is needed.
    /// </summary>
    internal virtual bool MakesAllGradients => false;

    /// <summary>
    /// True where the output is fp32 in every precision: sums of the residual stream, to which each layer adds a little.
    /// </summary>
    internal virtual bool StaysWide => false;

    /// <summary>Floats that the forward pass leaves for the backward pass.</summary>
    internal virtual long SavedFloats => 0;

    /// <summary>Floats that either pass needs while it runs.</summary>
    internal virtual long ScratchFloats(BatchShape batch, int threads) => 0;

    /// <summary>Bytes that the team's products need for it.</summary>
    internal virtual long ProductBytes(BatchShape batch, int threads) => 0;

    /// <summary>True where the gradient of a table's rows is summed apart: a row for each of the output at most.</summary>
    internal virtual bool SumsRowsApart => false;

    /// <summary>Floating-point operations of its products in a forward pass, two for each multiply-add.</summary>
    internal virtual double ForwardFlops(Tape tape) => 0;

    /// <summary>Floating-point operations of its products in a backward pass, two for each multiply-add.</summary>
    internal virtual double BackwardFlops(Tape tape) => 0;

    /// <summary>True where its forward pass reads inputs of the other ranks of a tensor group.</summary>
    internal virtual bool ReadsRanks => false;

    /// <summary>
    /// True where its backward pass reads what the other ranks have: the gradient of the output, and what they kept. No rank begins it
    /// before all have made these.
    /// </summary>
    internal virtual bool ReadsRanksBackward => false;

    /// <summary>Elements that a pass reads of other ranks.</summary>
    internal virtual long ElementsOfRanks(PassKind kind) => 0;

    /// <summary>What is done with the gradient of the output before the backward pass, and before other ranks read it.</summary>
    internal virtual void PrepareBackward(CpuPass pass)
    {
    }

    /// <summary>
    /// Makes the output, and what the backward pass wants saved. Runs a second time, with the same bits, where its block is recomputed.
    /// </summary>
    internal abstract void Forward(CpuPass pass);

    /// <summary>
    /// Makes the gradients of the inputs from that of the output, and those of its parameters. Each gradient is overwritten, or added to
    /// where <see cref="CpuPass.AddsTo"/> says so.
    /// </summary>
    internal abstract void Backward(CpuPass pass);
}
