using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using Elastic.Model.Training;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>Opens a device's passes by our kernels, and keeps what lasts from one to the next.</summary>
/// <param name="recompute">What passes make again in place of keeping it.</param>
internal sealed class GpuPasses(GpuTools tools, int vocabulary, RecomputeMode recompute) : IDisposable
{
    // Shapes of micro-batches that one step, or one stage, has at once.
    private const int MostPlans = 16;

    private readonly Dictionary<(Tape, int, int), GpuPassPlan> _plans = [];

    /// <summary>Copies of parameters in 16 bits.</summary>
    public NarrowCopies Copies { get; } = new();

    /// <summary>
    /// Elements of logits that are held at once in bf16, and half as many in fp32: <see cref="GpuMemory.LogitBytesAtOnce"/>.
    /// </summary>
    public long LogitsAtOnce { get; init; } = GpuMemory.LogitBytesAtOnce / 2;

    /// <summary>A pass of one micro-batch.</summary>
    /// <param name="plain">Opens one over the same tape by libtorch's plain operators.</param>
    public GpuPass Open(
        Tape tape, MicroBatch batch, PassParameters parameters, DropoutSeed seed, double factor,
        Func<GpuPass, ITapePass> plain)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = NewDisposeScope();
        // The host does not wait until the GPU has come so far: the driver has copied what is not pinned when the call returns.
        Tensor On(Tensor x) => x.to(tools.Device, non_blocking: true);
        Tensor? Numbers(int[]? values) => values is null ? null : On(tensor(values, int64));
        var isGeneration = tape.Purpose == TapePurpose.Generation;
        int[] targets = [.. batch.Targets.Select(t => t == MicroBatch.NotCounted ? 0 : t)], sources = batch.Sources ?? [];
        var inputs = new GpuPassInputs
        {
            Tokens = On(tensor(batch.Inputs, int32)),
            Targets = isGeneration ? null : On(tensor(targets, int32)),
            Counted = isGeneration ? null : On(TorchPass.CountedOf(batch, float32)),
            Types = Numbers(batch.Types),
            Segments = Numbers(batch.Segments),
            Sources = sources.Length > 0 ? On(tensor(sources, int32)) : null,
            SourceSegments = batch.Sources is null || isGeneration ? null : Numbers(batch.SourceSegments()),
            TokenRows = new Lazy<TokenRows>(() => TokenRows.Of([.. sources, .. batch.Inputs], vocabulary, tools.Device)),
            Rules = tools.Flash is null ? null : new AttentionRules(tape, batch, tools.Device),
            Plain = plain,
            Seed = seed,
            FirstMicroBatch = batch.Index,
            LossFactor = factor,
            LogitsAtOnce = LogitsAtOnce,
        };
        // The pass may go on in a later call.
        inputs.KeepAfterScope();
        // A text that grows by a token has another shape each time, and nothing of a run's answer depends on it.
        return new GpuPass(
            tape, inputs, isGeneration ? tools with { Products = null } : tools,
            new GpuParameters(tape.Layout, parameters, Copies, tape.Precision), PlanOf);
    }

    // The same tape comes again and again in training.
    private GpuPassPlan PlanOf(Tape tape, int first, int end)
    {
        if (_plans.TryGetValue((tape, first, end), out var plan))
            return plan;
        plan = new GpuPassPlan(tape, recompute, first, end);
        if (tape.Purpose != TapePurpose.Training)
            return plan;
        if (_plans.Count == MostPlans)
            _plans.Clear();
        return _plans[(tape, first, end)] = plan;
    }

    /// <summary>Frees the copies of vectors, whose memory the next ones need.</summary>
    public void Release() => Copies.Dispose();

    /// <inheritdoc/>
    public void Dispose()
    {
        Release();
        tools.Constants.Dispose();
    }
}
