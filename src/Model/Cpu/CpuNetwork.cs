using System.Numerics;
using Elastic.Kernels;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Generation;
using Elastic.Model.Networks;
using Elastic.Model.Operators;
using Elastic.Model.Tapes;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Cpu;

/// <summary>
/// A model's passes on a CPU: its tape, recorded once for each shape, run over one block of memory that all shapes share.
/// </summary>
internal sealed unsafe class CpuNetwork(
    IArchitecture architecture, FlatLayout layout, double labelSmoothing, ThreadTeam team, RecomputeMode recompute) : IDisposable
{
    // A pass of a tape takes some kilobytes, and a millisecond to plan.
    private const int MostDecodingPasses = 64;

    private readonly Dictionary<(TapePurpose Purpose, BatchShape, Precision, TensorShare?), CpuPass> _passes = [];
    private readonly PassInputs _inputs = new(architecture);
    private NativeBuffer? _arena;
    private KeyValueShape? _cacheShape;

    /// <inheritdoc cref="CpuPass.Times"/>
    public OperatorTimes? Times { get; set; }

    /// <summary>
    /// Overwrites every gradient of a trained parameter with what these micro-batches contribute to the gradient of the step's loss, summed
    /// along the tree, or adds it to what is there.
    /// </summary>
    /// <param name="group">A full subtree of the step's micro-batches, of one shape.</param>
    /// <returns>The sum of the losses of each micro-batch's counted targets, nats.</returns>
    public double[] ForwardBackward(
        IReadOnlyList<MicroBatch> group, TrainingInputs inputs, GradientBuffer into, bool adds)
    {
        var pass = OpenTraining(group, inputs.Precision);
        using var own = adds ? new ScatteredRows() : null;
        pass.ForwardBackward(
            _arena!.Floats, inputs, ((HostVector)into.Flat).Data, adds, own ?? into.Scattered, inputs.LossScale / group[0].StepTargets,
            group[0].Index);
        if (own is not null)
            into.Scattered.Add(own);
        GC.KeepAlive(inputs);
        return LossesOf(pass, group);
    }

    /// <summary>Where the gradients of such a pass are complete.</summary>
    public GradientBuckets Buckets(IReadOnlyList<MicroBatch> group, Precision precision)
        => GradientBuckets.Of(OpenTraining(group, precision).Tape);

    /// <summary>Begins a pass that is to stop at each bucket.</summary>
    /// <param name="into">Room for a bucket; and where the rows of embeddings go.</param>
    public CpuPass Begin(IReadOnlyList<MicroBatch> group, TrainingInputs inputs, GradientBuffer into)
    {
        var pass = OpenTraining(group, inputs.Precision);
        pass.Begin(
            _arena!.Floats, inputs, ((HostVector)into.Flat).Data, false, into.Scattered, inputs.LossScale / group[0].StepTargets,
            group[0].Index);
        return pass;
    }

    /// <summary>Begins a rank's share of a pass.</summary>
    /// <param name="gradients">The flat gradient, of which each rank of the tensor group writes its share.</param>
    /// <param name="scattered">Where the rows of embeddings of the rank's tokens go.</param>
    public CpuPass BeginShare(
        TensorShare share, IReadOnlyList<MicroBatch> group, TrainingInputs inputs, HostVector gradients, bool adds,
        ScatteredRows scattered)
    {
        var pass = OpenTraining(group, inputs.Precision, share);
        pass.Begin(
            _arena!.Floats, inputs, gradients.Data, adds, scattered, inputs.LossScale / group[0].StepTargets, group[0].Index);
        return pass;
    }

    /// <summary>The sum of the losses of each micro-batch's counted targets, nats, when the pass has run.</summary>
    public static double[] LossesOf(CpuPass pass, IReadOnlyList<MicroBatch> group)
    {
        var rows = pass.Shape.RowsOfMicroBatch;
        return [.. Enumerable.Range(0, group.Count).Select(i => Sum(pass.Losses.AsSpan(i * rows, rows)))];
    }

    /// <summary>Plain cross-entropy of each target, (Rows, T): no dropout, no smoothing, no gradient.</summary>
    public double[] Losses(MicroBatch batch, HostVector parameters)
    {
        var pass = Open(TapePurpose.Evaluation, new BatchShape(1, batch.Rows, batch.Columns, batch.SourceColumns));
        _inputs.Take(batch, pass, 0);
        pass.Forward(_arena!.Floats, parameters.Data);
        GC.KeepAlive(parameters);
        return [.. pass.Losses.AsSpan(0, batch.Targets.Length)];
    }

    /// <summary>Logits of the token that follows <paramref name="tokens"/>, (V).</summary>
    /// <param name="source">What an encoder reads; empty for other networks.</param>
    public float[] Logits(ReadOnlySpan<int> source, ReadOnlySpan<int> tokens, HostVector parameters)
    {
        _inputs.CheckRows(tokens.Length, 1);
        var pass = Open(TapePurpose.Generation, new BatchShape(1, 1, tokens.Length, source.Length));
        _inputs.Tokens(tokens, 1, pass.Inputs);
        _inputs.TakeSources(source, 1, pass.Sources);
        pass.Forward(_arena!.Floats, parameters.Data);
        GC.KeepAlive(parameters);
        return pass.Logits;
    }

    /// <summary>What a text's cache holds for each token.</summary>
    public KeyValueShape CacheShape => _cacheShape ??= CacheShapeOf(
        Record(architecture, layout, TapePurpose.Decoding, new BatchShape(1, 1, 1), 0));

    /// <summary>
    /// Continues texts in one pass, each by its new tokens: a row for every token, whichever text it belongs to. A text that has outgrown
    /// what can be kept of it is computed as a whole.
    /// </summary>
    public void Decode(IReadOnlyList<DecoderInput> inputs, HostVector parameters)
    {
        var cached = inputs.Where(i => i.State.Tokens.Count + i.Tokens.Length <= architecture.CacheableTokens).ToList();
        if (cached.Count > 0)
            DecodeCached(cached, parameters);
        foreach (var whole in inputs.Except(cached).Where(i => i.Predicts))
            whole.State.TakeLogits(Logits(whole.SourceTokens, whole.Text, parameters));
    }

    /// <summary>Runs the encoder over a source, and keeps the keys and values that the decoder's layers make of what it says.</summary>
    public EncodedSource Encode(ReadOnlySpan<int> source, HostVector parameters)
    {
        _inputs.CheckRows(source.Length, 1);
        var pass = Open(TapePurpose.Encoding, new BatchShape(1, 1, 0, source.Length));
        _inputs.TakeSources(source, 1, pass.Sources);
        var kept = new SourceKeys(source, CacheShape);
        pass.Source = kept;
        pass.Forward(_arena!.Floats, parameters.Data);
        pass.Source = null;
        GC.KeepAlive(parameters);
        return kept;
    }

    /// <summary>
    /// Gives up the memory of its passes, which others may still read: whoever takes it frees it. The next pass has its own.
    /// </summary>
    public NativeBuffer? Abandon()
    {
        var arena = _arena;
        _arena = null;
        _passes.Clear();
        return arena;
    }

    /// <inheritdoc/>
    public void Dispose() => _arena?.Dispose();

    private static KeyValueShape CacheShapeOf(Tape tape)
    {
        var layers = tape.Operations.OfType<CausalAttentionOperation>().ToList();
        return new KeyValueShape(layers.Count, layers.Max(l => l.KeyWidth));
    }

    private void DecodeCached(List<DecoderInput> inputs, HostVector parameters)
    {
        var pass = Open(TapePurpose.Decoding, new BatchShape(1, inputs.Sum(i => i.Tokens.Length), 1));
        var (texts, row, end) = (new List<CachedText>(), 0, 0);
        foreach (var input in inputs)
        {
            var (before, count) = (input.State.Tokens.Count, input.Tokens.Length);
            _inputs.Tokens(input.Tokens.Span, 1, pass.Inputs.AsSpan(row));
            for (var i = 0; i < count; i++)
                pass.Positions[row + i] = before + i;
            texts.Add(new CachedText((KeyValueCache)input.State, row, count, input.Predicts));
            (row, end) = (row + count, Math.Max(end, before + count));
        }
        // By powers of two, so that tables of positions are rarely made anew.
        (pass.Texts, pass.PositionsEnd) = (texts, Math.Min(architecture.Context, (int)BitOperations.RoundUpToPowerOf2((uint)end)));
        pass.Forward(_arena!.Floats, parameters.Data);
        GC.KeepAlive(parameters);
    }

    private static Tape Record(
        IArchitecture architecture, FlatLayout layout, TapePurpose purpose, BatchShape shape, double labelSmoothing,
        Precision? precision = null, TensorShare? share = null)
    {
        var tape = new Tape(purpose, shape, layout, labelSmoothing, precision, share);
        architecture.Record(tape);
        return tape;
    }

    private static long ProductBytes(Tape tape, int threads) => tape.Operations.Max(o => o.ProductBytes(tape.Shape, threads));

    private static double Sum(ReadOnlySpan<double> losses)
    {
        var sum = 0.0;
        foreach (var loss in losses)
            sum += loss;
        return sum;
    }

    private CpuPass OpenTraining(IReadOnlyList<MicroBatch> group, Precision precision, TensorShare? share = null)
    {
        var pass = Open(
            TapePurpose.Training, new BatchShape(group.Count, group[0].Rows, group[0].Columns, group[0].SourceColumns), precision, share);
        for (var i = 0; i < group.Count; i++)
            _inputs.Take(group[i], pass, i);
        return pass;
    }

    private CpuPass Open(TapePurpose purpose, BatchShape shape, Precision? given = null, TensorShare? share = null)
    {
        var precision = given ?? Precision.Fp32;
        if (_passes.TryGetValue((purpose, shape, precision, share), out var pass))
            return pass;
        // Generation meets every length once, as encoding does, the others few. Texts that go on meet most numbers of rows again and again.
        foreach (var used in _passes.Keys.Where(k => k.Purpose is TapePurpose.Generation or TapePurpose.Encoding).ToList())
            _passes.Remove(used);
        var decoding = _passes.Keys.Where(k => k.Purpose == TapePurpose.Decoding).ToList();
        if (decoding.Count >= MostDecodingPasses)
            decoding.ForEach(used => _passes.Remove(used));
        var tape = Record(architecture, layout, purpose, shape, labelSmoothing, precision, share);
        var plan = new MemoryPlan(tape, team.Threads, recompute);
        Products.Reserve(team, ProductBytes(tape, team.Threads));
        var bytes = plan.Floats * sizeof(float);
        if (_arena is null || _arena.Bytes < bytes)
        {
            _arena?.Dispose();
            _arena = null;                                            // in case the larger one cannot be had
            _arena = new NativeBuffer(bytes);
        }
        return _passes[(purpose, shape, precision, share)] = new CpuPass(tape, plan, team) { Times = Times };
    }
}
