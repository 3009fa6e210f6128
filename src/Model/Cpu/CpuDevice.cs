using Elastic.Kernels;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Generation;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Cpu;

/// <summary>
/// A slot on the CPU: some threads, Elastic's own arithmetic. Neither the number of threads nor the processor shows in the bits.
/// </summary>
public sealed class CpuDevice : TrainingDevice
{
    // Of vectors in memory: an optimizer of whole matrices takes minutes for so many, and has matrices enough for each thread.
    private const int PieceElements = 1 << 26;

    private readonly ThreadTeam _team;
    private readonly GradientTree _gradients;
    private readonly CpuNetwork _network;
    private readonly CpuShards _shards;
    private readonly double _labelSmoothing;
    private readonly RecomputeMode _recompute;
    private GradientBuffer? _folded;
    private readonly CpuTensorRank _tensorRank;
    private bool _isSharded;
    private IReadOnlyList<CpuStage> _stages = [];

    /// <param name="labelSmoothing">Label smoothing of the loss, in training only.</param>
    /// <param name="threads">Threads that compute, the caller's included.</param>
    /// <param name="recompute">What it computes again in place of keeping it: the same bits.</param>
    public CpuDevice(
        DeviceId id, IArchitecture architecture, double labelSmoothing = 0, int threads = 1,
        RecomputeMode recompute = RecomputeMode.None)
        : base(id, architecture)
    {
        (_labelSmoothing, _recompute) = (labelSmoothing, recompute);
        _team = new ThreadTeam(threads, id.Value);
        _gradients = new GradientTree(
            () => new HostVector(Layout.TrainedLength), (left, right) => SliceFold.Add((HostVector)left, (HostVector)right, _team));
        _network = new CpuNetwork(architecture, Layout, labelSmoothing, _team, recompute);
        _shards = new CpuShards(_network, _team);
        _tensorRank = new CpuTensorRank(_network, _gradients, InputsOf);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<SubtreeRoot> Roots =>
        _stages is [var stage, ..] ? stage.TakeRoots() : _isSharded ? _shards.Roots : _gradients.Roots;

    /// <inheritdoc/>
    public override PipelineStage? Stage => _stages is [var stage, ..] ? stage : null;

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
        var inputs = InputsOf(seed, precision, lossScale);
        CloseStage();
        _isSharded = false;
        _tensorRank.BeginStep();
        var losses = new List<double>();
        foreach (var (node, group) in MicroBatchGroups.Of(microBatches, Architecture.Vocabulary))
        {
            // The right half of a subtree is added to the left one as it is computed.
            if (_gradients.LeftOf(node) is { } left)
            {
                losses.AddRange(_network.ForwardBackward(group, inputs, left, true));
                _gradients.AddedToLeft(node);
                NotePart();
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
            NotePart();
        }
        return [.. losses];
    }

    /// <inheritdoc/>
    public override ITensorRank InTensorGroup()
    {
        CloseStage();
        _isSharded = false;
        return _tensorRank;
    }

    /// <inheritdoc/>
    public override void BeginShards(Slice slice)
    {
        CloseStage();
        _isSharded = true;
        _tensorRank.BeginStep();
        _shards.Begin(slice);
    }

    /// <inheritdoc/>
    public override void BeginPass(IReadOnlyList<MicroBatch> group, DropoutSeed seed, Precision precision, double lossScale)
        => _shards.BeginPass(group, InputsOf(seed, precision, lossScale));

    /// <inheritdoc/>
    public override PassBucket NextBucket() => _shards.NextBucket();

    /// <inheritdoc/>
    public override void FoldBucket(IReadOnlyList<PassBucket> buckets)
    {
        ArgumentNullException.ThrowIfNull(buckets);
        _shards.Fold(buckets);
    }

    /// <inheritdoc/>
    public override void OpenStage(PipelineGroup group, int stage, int rank)
    {
        ArgumentNullException.ThrowIfNull(group);
        CloseStage();
        _tensorRank.BeginStep();
        _shards.Begin(default);
        var arena = new StageArena();
        _stages =
        [
            .. Enumerable.Range(0, group.Chunks).Select(chunk => new CpuStage(
                group, chunk * group.Count + stage, rank, Architecture, Layout, _labelSmoothing, _team, _recompute, arena, InputsOf)),
        ];
        for (var chunk = 0; chunk < group.Chunks; chunk++)
            group[chunk * group.Count + stage, rank] = _stages[chunk];
    }

    /// <inheritdoc/>
    public override unsafe void NarrowSlice(Slice slice, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(precision);
        var (type, parameters, copy) = (precision.Storage!.Value, Parameters, Vectors.WorkingCopy);
        ByPieces(slice, UpdateGranularity.Tiles, parameters.IsInFile ? [parameters] : [], piece => _team.Run(new Tiles(tile =>
        {
            var first = piece.First + (long)tile * FlatLayout.Tile;
            NarrowRows.Narrow(type, (ushort*)copy.Data + first, parameters.Data + first, FlatLayout.Tile);
        }), piece.Tiles));
        GC.KeepAlive(parameters);
        GC.KeepAlive(copy);
    }

    /// <inheritdoc/>
    public override double[] FoldSlice(IReadOnlyList<SubtreeRoot> roots, int totalMicroBatches, Slice slice)
    {
        ArgumentNullException.ThrowIfNull(roots);
        return slice.Tiles == 0 ? [] : SliceFold.Fold(roots, totalMicroBatches, slice, Layout, Gradient(), _team);
    }

    /// <inheritdoc/>
    public override unsafe IReadOnlyList<double> SquaresOf(int tile)
    {
        var (gradient, parts) = (Gradient(), new List<double>());
        TileSquares.Of(Layout, gradient.Data, (long)tile * FlatLayout.Tile, parts);
        GC.KeepAlive(gradient);
        return parts;
    }

    /// <inheritdoc/>
    public override void UpdateSlice(Slice slice, IOptimizer optimizer, OptimizerStep step)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        if (slice.Tiles > 0)
            ByPieces(
                slice, optimizer.Granularity, Vectors.InFiles, piece => optimizer.Update(Vectors, Gradient(), piece, step, _team));
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
        foreach (var stage in _stages)
            stage.Retire();
        _tensorRank.Leave();
        _network.Dispose();
        _team.Dispose();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        CloseStage();
        Retire();
        _folded?.Dispose();
        _gradients.Dispose();
        _shards.Dispose();
        _tensorRank.Dispose();
    }

    // Piece by piece: large ones where nothing lies in files, for who waits; else each is read ahead while the one before it is worked on.
    private void ByPieces(Slice slice, UpdateGranularity granularity, IReadOnlyList<HostVector> inFiles, Action<Slice> work)
    {
        var pieces = slice.Pieces(Layout, inFiles.Count == 0 ? PieceElements : FileOffload.PieceElements, granularity).ToList();
        for (var i = 0; i < pieces.Count; i++)
        {
            if (i == 0)
                ReadAhead(pieces[0]);
            if (i + 1 < pieces.Count)
                ReadAhead(pieces[i + 1]);
            work(pieces[i]);
            foreach (var vector in inFiles)
                vector.Release(pieces[i].First, pieces[i].Count);
            NotePart();
        }

        void ReadAhead(Slice piece)
        {
            foreach (var vector in inFiles)
                vector.ReadAhead(piece.First, piece.Count);
        }
    }

    // Where other stages may be at work yet, the garbage collector frees what they read.
    private void CloseStage()
    {
        foreach (var stage in _stages)
        {
            if (stage.Group.IsAtWork)
                stage.Retire();
            else
                stage.Close();
        }
        _stages = [];
    }

    private TrainingInputs InputsOf(DropoutSeed seed, Precision precision, double lossScale)
    {
        ArgumentNullException.ThrowIfNull(precision);
        return new TrainingInputs(Parameters, precision.IsNarrow ? Vectors.WorkingCopy : null, precision, lossScale, seed);
    }

    private readonly struct Tiles(Action<int> work) : IParallelWork
    {
        public void Run(int piece) => work(piece);
    }

    // Where the folded slice goes: the first root of the device or its tensor group, whose slice no other device reads, or a buffer of its
    // own if there is none.
    private HostVector Gradient() => Roots is [var first, ..]
        ? (HostVector)first.Gradient : _tensorRank.Gradient ?? (HostVector)(_folded ??= _gradients.Rent()).Flat;
}
