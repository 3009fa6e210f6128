using Elastic.Kernels;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Generation;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Cpu;

/// <summary>
/// A slot on the CPU: some threads, Elastic's own arithmetic. Neither the number of threads nor the processor shows in the bits.
/// </summary>
public sealed class CpuDevice : TrainingDevice
{
    private readonly ThreadTeam _team;
    private readonly GradientTree _gradients;
    private readonly CpuNetwork _network;
    private GradientBuffer? _folded;

    /// <param name="labelSmoothing">Of the loss, in training only.</param>
    /// <param name="threads">Threads that compute, the caller's included.</param>
    /// <param name="recompute">What it computes again in place of keeping it: the same bits.</param>
    public CpuDevice(
        DeviceId id, IArchitecture architecture, double labelSmoothing = 0, int threads = 1,
        RecomputeMode recompute = RecomputeMode.None)
        : base(id, architecture)
    {
        _team = new ThreadTeam(threads, id.Value);
        _gradients = new GradientTree(
            () => new HostVector(Layout.TrainedLength), (left, right) => SliceFold.Add((HostVector)left, (HostVector)right, _team));
        _network = new CpuNetwork(architecture, Layout, labelSmoothing, _team, recompute);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<SubtreeRoot> Roots => _gradients.Roots;

    /// <summary>Where the time of its passes goes; to be set before the first one.</summary>
    internal OperatorTimes? Times
    {
        get => _network.Times;
        set => _network.Times = value;
    }

    private HostVector Parameters => Vectors.Host(VectorSet.Parameters);

    /// <inheritdoc/>
    public override double[] Accumulate(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale)
    {
        ArgumentNullException.ThrowIfNull(microBatches);
        ArgumentNullException.ThrowIfNull(precision);
        var inputs = new TrainingInputs(Parameters, precision.IsNarrow ? Vectors.WorkingCopy : null, precision, lossScale, seed);
        _gradients.Clear();
        var losses = new List<double>();
        foreach (var (node, group) in MicroBatchGroups.Of(microBatches, Architecture.Vocabulary))
        {
            // The right half of a subtree is added to the left one as it is computed.
            if (_gradients.LeftOf(node) is { } left)
            {
                losses.AddRange(_network.ForwardBackward(group, inputs, left, true));
                _gradients.AddedToLeft(node);
                continue;
            }
            var buffer = _gradients.Rent();
            try
            {
                losses.AddRange(_network.ForwardBackward(group, inputs, buffer, false));
            }
            catch
            {
                _gradients.Return(buffer);
                throw;
            }
            _gradients.Add(node, buffer);
        }
        return [.. losses];
    }

    /// <inheritdoc/>
    public override unsafe void NarrowSlice(Slice slice, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(precision);
        var (type, parameters, copy) = (precision.Storage!.Value, Parameters, Vectors.WorkingCopy);
        _team.Run(new Tiles(tile =>
        {
            var first = slice.First + (long)tile * FlatLayout.Tile;
            NarrowRows.Narrow(type, (ushort*)copy.Data + first, parameters.Data + first, FlatLayout.Tile);
        }), slice.Tiles);
        GC.KeepAlive(parameters);
        GC.KeepAlive(copy);
    }

    /// <inheritdoc/>
    public override double[] FoldSlice(IReadOnlyList<SubtreeRoot> roots, int totalMicroBatches, Slice slice)
    {
        ArgumentNullException.ThrowIfNull(roots);
        return SliceFold.Fold(roots, totalMicroBatches, slice, Layout, Gradient(), _team);
    }

    /// <inheritdoc/>
    public override void UpdateSlice(Slice slice, IOptimizer optimizer, OptimizerStep step)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        optimizer.Update(Vectors, Gradient(), slice, step, _team);
    }

    /// <inheritdoc/>
    public override double[] Losses(MicroBatch batch) => _network.Losses(batch, Parameters);

    /// <inheritdoc/>
    public override float[] Logits(ReadOnlySpan<int> source, ReadOnlySpan<int> tokens) => _network.Logits(source, tokens, Parameters);

    /// <inheritdoc/>
    public override long StateBytes(int capacity) => Architecture.CacheableTokens > 0 ? _network.CacheShape.Bytes(capacity) : 0;

    /// <inheritdoc/>
    protected override DecoderState MakeState(int capacity, EncodedSource? source) => Architecture.CacheableTokens > 0
        ? new KeyValueCache(_network.CacheShape, capacity, source) : base.MakeState(capacity, source);

    /// <inheritdoc/>
    protected override EncodedSource MakeSource(ReadOnlySpan<int> source) => _network.Encode(source, Parameters);

    /// <inheritdoc/>
    protected override void Predict(IReadOnlyList<DecoderInput> inputs) => _network.Decode(inputs, Parameters);

    /// <inheritdoc/>
    public override void Retire()
    {
        base.Retire();
        _network.Dispose();
        _team.Dispose();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        Retire();
        _folded?.Dispose();
        _gradients.Dispose();
    }

    private readonly struct Tiles(Action<int> work) : IParallelWork
    {
        public void Run(int piece) => work(piece);
    }

    // Where the folded slice goes: the device's first root, whose slice no other device reads, or a buffer of its own if it has none.
    private HostVector Gradient()
        => _gradients.Roots is [var first, ..] ? (HostVector)first.Gradient : (HostVector)(_folded ??= _gradients.Rent()).Flat;
}
