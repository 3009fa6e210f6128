using System.Diagnostics;
using Elastic.Kernels;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tapes;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Cuda.Passes;
using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch;

/// <summary>
/// A device of libtorch's: a GPU, or one thread on the CPU. Each micro-batch goes through the network alone; sums go along the tree as
/// everywhere, so the number of devices never shows. Its bits are its own, other than those of Elastic's kernels.
/// </summary>
internal sealed partial class TorchDevice : TrainingDevice
{
    [ThreadStatic]
    private static bool _oneThread;

    private readonly torch.Device _device;
    private readonly GradientTree _gradients;
    private readonly double _labelSmoothing;
    private readonly KernelUpdate? _update;
    private readonly int _gpu;
    private readonly VectorCopies _copies;
    private readonly GpuStream? _stream;
    private readonly DeviceProducts? _products;
    private readonly GpuPasses? _passes;
    private readonly FoldedSlices _folded;
    private readonly Segment? _apart;
    private readonly GpuRefusals _refusals;

    // The devices of the replica do not read and write each other's memory: what an update changes stays here, and Gather sends it.
    private bool _sends;

    // What the last update changed: the parameters and the optimizer's vectors, or copies of them.
    private Dictionary<string, TorchVector> _updated = [];

    /// <param name="kernels">Our kernels of the device, which compute what they can; null where libtorch's operators compute all.</param>
    /// <param name="gpu">The GPU's number; 0 on libtorch's CPU.</param>
    /// <param name="stream">Stream of a logical device, that of <paramref name="kernels"/>; null for the default stream.</param>
    /// <param name="flash">Attention without a matrix of tokens by tokens, where it fits; null where plain operators compute it.</param>
    /// <param name="products">By cublasLt, on that stream; null where libtorch computes them.</param>
    /// <param name="recompute">What passes by our kernels make again for the backward pass in place of keeping it: the same bits.</param>
    /// <param name="refusals">Of the process; null for devices that are tried alone.</param>
    public TorchDevice(
        DeviceId id, torch.Device device, IArchitecture architecture, double labelSmoothing, DeviceKernels? kernels = null,
        int gpu = 0, GpuStream? stream = null, FlashAttention? flash = null, DeviceProducts? products = null,
        RecomputeMode recompute = RecomputeMode.None, GpuRefusals? refusals = null)
        : base(id, architecture)
    {
        _refusals = refusals ?? new GpuRefusals();
        (_device, _labelSmoothing, _gpu, _stream, _products) = (device, labelSmoothing, gpu, stream, products);
        _passes = kernels is null
            ? null
            : new GpuPasses(new GpuTools(device, kernels, flash, products), architecture.Vocabulary, recompute);
        _update = kernels is null ? null : new KernelUpdate(kernels, Layout, device);
        _copies = new VectorCopies(device, gpu, Across);
        _folded = new FoldedSlices(device, gpu);
        _apart = PassParameters.ApartOf(NewTape(TapePurpose.Training, new BatchShape(1, 1, 1, architecture.SourceContext), null));
        _gradients = new GradientTree(
            () => new PiecedVector(
                Layout.TrainedLength, [new TorchVector(Layout.TrainedLength, device, gpu)],
                _apart is null ? null : new TorchVector(_apart.Offset, _apart.Count, device, gpu)),
            (left, right) => ((PiecedVector)left).Add((PiecedVector)right));
    }

    /// <inheritdoc/>
    public override IReadOnlyList<SubtreeRoot> Roots => _stages is [var stage, ..] ? stage.TakeRoots() : _gradients.Roots;

    /// <inheritdoc/>
    public override int MostTogether => 1;

    /// <inheritdoc/>
    public override void Detach()
    {
        base.Detach();
        // Of vectors whose memory the next ones need.
        _copies.Dispose();
        _passes?.Release();
        _updated = [];
    }

    /// <inheritdoc/>
    public override double[] Accumulate(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale)
    {
        ArgumentNullException.ThrowIfNull(microBatches);
        return OnDevice(() =>
        {
            CloseStage();
            _gradients.Clear();
            // Read when all have begun: a number that is read waits for all before it.
            var losses = new List<Tensor>();
            try
            {
                foreach (var batch in microBatches)
                {
                    var buffer = _gradients.Rent();
                    try
                    {
                        losses.Add(ForwardBackward(batch, (PiecedVector)buffer.Flat, seed, precision, lossScale));
                    }
                    catch
                    {
                        _gradients.Return(buffer);
                        throw;
                    }
                    _gradients.Add(new TreeNode(batch.Index, 1), buffer);
                    NotePart();
                }
                // Other devices read the sums, on streams of their own.
                WaitFor($"the sums of {microBatches.Count} micro-batches");
                return losses.ConvertAll(l => l.item<double>()).ToArray();
            }
            finally
            {
                losses.ForEach(l => l.Dispose());
            }
        }, microBatches is [var one, ..] ? $"{ShapeOf(one)}" : "");
    }

    /// <inheritdoc/>
    public override double[] FoldSlice(IReadOnlyList<SubtreeRoot> roots, int totalMicroBatches, Slice slice)
    {
        ArgumentNullException.ThrowIfNull(roots);
        _sends = false;
        return slice.Tiles == 0 ? [] : OnDevice(() => Fold(roots, totalMicroBatches, slice));
    }

    private double[] Fold(IReadOnlyList<SubtreeRoot> roots, int totalMicroBatches, Slice slice)
    {
        using var scope = NewDisposeScope();
        var (into, rows) = (Gradient(slice), new List<TorchVector>());
        try
        {
            roots = StageEmbeddings.WithRows(roots, slice, _apart, NewVector, rows);
            return _update is { } update
                ? update.Fold(roots, slice, into)
                : PlainFold.Fold(roots, totalMicroBatches, slice, into, Layout, _device);
        }
        finally
        {
            rows.ForEach(r => r.Dispose());
        }
    }

    /// <inheritdoc/>
    public override void UpdateSlice(Slice slice, IOptimizer optimizer, OptimizerStep step)
        => OnDevice(() =>
        {
            ArgumentNullException.ThrowIfNull(optimizer);
            if (slice.Tiles == 0 && Vectors[VectorSet.Parameters] is PiecedVector)
            {
                _refusals.End(Id);
                return true;                                           // a stage that updates nothing has no piece of the moments
            }
            string[] names = [VectorSet.Parameters, .. optimizer.Vectors];
            _updated = names.ToDictionary(name => name, name => Near(name, slice, optimizer));
            Update(_updated, slice, optimizer, step);
            foreach (var name in names)
                Return(name, _updated[name], slice);
            // Other GPUs read what this one has written.
            WaitFor($"the update of {slice.Tiles} tiles");
            foreach (var name in names)
                (Vectors[name] is PiecedVector ? _updated[name] : (TorchVector)Vectors[name]).Touch();
            _passes?.Copies.Renew(_updated[VectorSet.Parameters]);
            _refusals.End(Id);
            return true;
        }, slice.Tiles == 0 ? "nothing" : "");

    // What the update of a slice works on: the replica's vector, where this device may write it, or a copy.
    private TorchVector Near(string name, Slice slice, IOptimizer optimizer)
    {
        if (_sends && name == VectorSet.Parameters)
            return _copies.Whole(Vectors, name);
        if (Vectors[name] is PiecedVector pieces)
            return pieces.PieceOf(slice.First, slice.Count);
        var vector = (TorchVector)Vectors[name];
        // Our kernel writes the memory of GPUs that this one reaches; libtorch's operators do not.
        return !_sends && optimizer is AdamW && _update is { } update && update.Kernels.Reaches(vector.Gpu)
            ? vector
            : _copies.Part(Vectors, name, slice);
    }

    private void Return(string name, TorchVector near, Slice slice)
    {
        if (_sends || ReferenceEquals(near, Vectors[name]) || Vectors[name] is PiecedVector)
            return;
        var home = (TorchVector)Vectors[name];
        Across(home, () =>
        {
            using var scope = NewDisposeScope();
            home.Range(slice.First, slice.Count).copy_(near.Range(slice.First, slice.Count));
        });
    }

    private void Update(Dictionary<string, TorchVector> near, Slice slice, IOptimizer optimizer, OptimizerStep step)
    {
        var gradient = Gradient(slice);
        var copies = CopiesToWrite(near[VectorSet.Parameters], slice);
        switch (optimizer)
        {
            case AdamW adamW:
                AdamW.CheckFinite(step);
                foreach (var (group, first, count) in Layout.TrainedPartsOf(slice))
                    Update(near, gradient, copies, adamW.Settings, first, count, group.Decays ? adamW.Settings.WeightDecay : 0, step);
                break;
            case Muon muon:
                AdamW.CheckFinite(step);
                foreach (var (group, first, count) in HiddenMatrix.OthersIn(Layout, slice))
                    Update(
                        near, gradient, copies, muon.Settings, first, count, group.Decays ? muon.Settings.WeightDecay : 0,
                        muon.StepOfOthers(step));
                foreach (var matrix in HiddenMatrix.In(Layout, slice))
                    TorchMuon.Update(
                        muon.Settings, matrix, step, near[VectorSet.Parameters], near[VectorSet.FirstMoment], gradient,
                        _products);
                break;
            default:
                throw new UnreachableException($"optimizer {optimizer}");
        }
    }

    /// <inheritdoc/>
    public override void CopySlice(Slice slice, IReadOnlyList<string> names, ReplicaVectors into)
    {
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(into);
        OnDevice(() =>
        {
            Across((TorchVector)Vectors[names[0]], () =>
            {
                using var scope = NewDisposeScope();
                foreach (var name in names)
                {
                    Flat(into[name]).narrow(0, slice.First, slice.Count).copy_(Flat(Vectors[name]).narrow(0, slice.First, slice.Count));
                    ((TorchVector)into[name]).Touch();
                }
                // The copies wait in the stream of the GPU on which the vectors lie, and other GPUs write there in the update: one element
                // that is read waits for all of them.
                _ = Flat(into[names[0]]).narrow(0, 0, 1).cpu();
            });
            return true;
        });
    }

    /// <inheritdoc/>
    public override double[] Losses(MicroBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return OnDevice(() =>
        {
            using var scope = NewDisposeScope();
            using var noGradient = no_grad();
            var losses = Run(TapePurpose.Evaluation, batch).to(CPU).data<double>().ToArray();
            _refusals.End(Id);
            return losses;
        }, $"{ShapeOf(batch)}");
    }

    /// <inheritdoc/>
    public override float[] Logits(ReadOnlySpan<int> source, ReadOnlySpan<int> tokens)
    {
        CheckSource(!source.IsEmpty);
        // Nothing is predicted but the token after the last one.
        var all = new MicroBatch(0, 1, tokens.ToArray(), new int[tokens.Length], 1)
        {
            Sources = source.IsEmpty ? null : source.ToArray(),
        };
        return OnDevice(() =>
        {
            using var scope = NewDisposeScope();
            using var noGradient = no_grad();
            var logits = Run(TapePurpose.Generation, all).to(CPU).data<float>().ToArray();
            _refusals.End(Id);
            return logits;
        }, $"{ShapeOf(all)}");
    }

    /// <inheritdoc/>
    public override T Use<T>(Func<T> work) => OnDevice(work);

    /// <inheritdoc/>
    public override void Retire()
    {
        base.Retire();
        // Sums of a step whose passes have ended may be read by other devices yet.
        foreach (var stage in _stages.Where(s => s.Group.IsAtWork))
            stage.Retire();
        _folded.Dispose();
        _rooms.ForEach(r => r.Dispose());
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _passes?.Dispose();
        CloseStage();
        _copies.Dispose();
        _rooms.ForEach(r => r.Dispose());
        _folded.Dispose();
        _gradients.Dispose();
    }

    private static Tensor Flat(DeviceVector vector) => ((TorchVector)vector).Flat;

    // Our AdamW over one flat range; libtorch's fused one where there are no kernels.
    private void Update(
        Dictionary<string, TorchVector> near, TorchVector gradient, NarrowCopies? copies, Messages.Settings.OptimizerSettings settings,
        long first, long count, double weightDecay, OptimizerStep step)
    {
        using var scope = NewDisposeScope();
        TorchVector p = near[VectorSet.Parameters], m = near[VectorSet.FirstMoment], v = near[VectorSet.SecondMoment];
        if (_update is { } update)
        {
            var copy = copies?.Into(p, TrainedEnd(p), first, count) ?? DeviceMemory.None;
            update.AdamW(settings, p, m, v, gradient, copy, first, count, weightDecay, step);
            return;
        }
        Tensor[] Part(TorchVector vector) => [vector.Range(first, count)];
        var g = Part(gradient);
        if (step.ClipCoefficient != 1)
            g[0].TimesInPlace((float)step.ClipCoefficient);
        Dispatcher.Call(
            "aten::_fused_adamw_", "", 0, Part(p), g, Part(m), Part(v),
            Array.Empty<Tensor>(), new[] { tensor((float)step.Number, float32, _device) },
            step.LearningRate, settings.Beta1, settings.Beta2, weightDecay, settings.Epsilon, false, false,
            Dispatcher.Argument.None, Dispatcher.Argument.None);
    }

    // Where the folded slice goes: the device's first root, whose slice no other device reads, or room of its own if it has none.
    private TorchVector Gradient(Slice slice) =>
        _gradients.Roots is [var first, ..]
            ? ((PiecedVector)first.Gradient).Pieces[0]
            : _folded[slice, isOnlyOne: !(_stages is [{ Group.IsApart: true }, ..])];

    /// <summary>Waits until all that this device has begun has ended, and throws what went wrong in it.</summary>
    internal void WaitFor(string what)
    {
        if (_stream is { } stream)
            stream.Synchronize(what);
        else
            _update?.Kernels.Synchronize(what);
    }

    // libtorch keeps the number of threads for each calling thread; another number gives other bits.
    private static void Enter()
    {
        if (_oneThread)
            return;
        set_num_threads(1);
        _oneThread = true;
    }
}
