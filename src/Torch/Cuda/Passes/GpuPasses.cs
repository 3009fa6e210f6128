using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Tapes;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>Opens a device's passes by our kernels, and keeps what lasts from one to the next.</summary>
/// <param name="recompute">What passes make again in place of keeping it.</param>
internal sealed class GpuPasses(GpuTools tools, int vocabulary, RecomputeMode recompute) : IDisposable
{
    // Shapes of micro-batches that one step, or one stage, has at once.
    private const int MostPlans = 16;

    private readonly NarrowCopies _narrow = new();
    private readonly Dictionary<(Tape, int, int), GpuPassPlan> _plans = [];

    /// <summary>Elements of logits that are held at once: 2 GiB in bf16, 16,384 rows of GPT-2's vocabulary.</summary>
    public long LogitsAtOnce { get; init; } = 1L << 30;

    /// <summary>A pass of one micro-batch.</summary>
    /// <param name="plain">Opens one over the same tape by libtorch's plain operators.</param>
    public GpuPass Open(
        Tape tape, MicroBatch batch, PassParameters parameters, DropoutSeed seed, double factor, Func<ITapePass> plain)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = NewDisposeScope();
        // For the pass, which may go on in a later call.
        Tensor Kept(Tensor x) => x.to(tools.Device).DetachFromDisposeScope();
        var isGeneration = tape.Purpose == TapePurpose.Generation;
        int[] targets = [.. batch.Targets.Select(t => t == MicroBatch.NotCounted ? 0 : t)], sources = batch.Sources ?? [];
        var inputs = new GpuPassInputs
        {
            Tokens = Kept(tensor(batch.Inputs, int32)),
            Targets = isGeneration ? null : Kept(tensor(targets, int32)),
            Counted = isGeneration ? null : Kept(TorchPass.CountedOf(batch, float32)),
            Types = batch.Types is { } types ? Kept(tensor(types, int64)) : null,
            Sources = sources.Length > 0 ? Kept(tensor(sources, int32)) : null,
            TokenRows = new Lazy<TokenRows>(() => TokenRows.Of([.. sources, .. batch.Inputs], vocabulary, tools.Device)),
            Rules = tools.Flash is null ? null : new AttentionRules(tape, batch, tools.Device),
            Plain = plain,
            Seed = seed,
            FirstMicroBatch = batch.Index,
            LossFactor = factor,
            LogitsAtOnce = LogitsAtOnce,
        };
        // A text that grows by a token has another shape each time, and nothing of a run's answer depends on it.
        return new GpuPass(
            tape, inputs, isGeneration ? tools with { Products = null } : tools,
            new GpuParameters(tape.Layout, parameters, _narrow, tape.Precision), PlanOf);
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
    public void Release() => _narrow.Dispose();

    /// <inheritdoc/>
    public void Dispose() => Release();
}
