using System.Diagnostics;
using System.Runtime.InteropServices;
using Elastic.Kernels;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Tapes;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Cuda;
using Elastic.Torch.Cuda.CublasLt;
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
    private readonly FlashAttention? _flash;
    private readonly DeviceProducts? _products;
    private GradientBuffer? _folded;

    // The devices of the replica do not read and write each other's memory: what an update changes stays here, and Gather sends it.
    private bool _sends;

    // What the last update changed: the parameters and the optimizer's vectors, or copies of them.
    private Dictionary<string, TorchVector> _updated = [];

    /// <param name="kernels">Our kernels of the device, which compute what they can; null where libtorch's operators compute all.</param>
    /// <param name="gpu">The GPU's number; 0 on libtorch's CPU.</param>
    /// <param name="stream">Of a logical device, that of <paramref name="kernels"/>; null for the default stream.</param>
    /// <param name="flash">Attention without a matrix of tokens by tokens, where it fits; null where plain operators compute it.</param>
    /// <param name="products">By cublasLt, on that stream; null where libtorch computes them.</param>
    public TorchDevice(
        DeviceId id, torch.Device device, IArchitecture architecture, double labelSmoothing, DeviceKernels? kernels = null,
        int gpu = 0, GpuStream? stream = null, FlashAttention? flash = null, DeviceProducts? products = null)
        : base(id, architecture)
    {
        (_device, _labelSmoothing, _gpu, _stream, _flash, _products) = (device, labelSmoothing, gpu, stream, flash, products);
        _update = kernels is null ? null : new KernelUpdate(kernels, Layout, device);
        _copies = new VectorCopies(device, gpu);
        _gradients = new GradientTree(() => new TorchVector(Layout.TrainedLength, device, gpu), (left, right) =>
        {
            using var scope = NewDisposeScope();
            Flat(left).add_(Flat(right));
        });
    }

    /// <inheritdoc/>
    public override IReadOnlyList<SubtreeRoot> Roots => _gradients.Roots;

    /// <inheritdoc/>
    public override void Detach()
    {
        base.Detach();
        // Of vectors whose memory the next ones need.
        _copies.Dispose();
        _updated = [];
    }

    /// <inheritdoc/>
    public override double[] Accumulate(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale)
    {
        ArgumentNullException.ThrowIfNull(microBatches);
        return OnDevice(() =>
        {
            _gradients.Clear();
            var losses = new double[microBatches.Count];
            for (var i = 0; i < microBatches.Count; i++)
            {
                var buffer = _gradients.Rent();
                try
                {
                    losses[i] = ForwardBackward(microBatches[i], (TorchVector)buffer.Flat, seed, precision, lossScale);
                }
                catch
                {
                    _gradients.Return(buffer);
                    throw;
                }
                _gradients.Add(new TreeNode(microBatches[i].Index, 1), buffer);
            }
            // Other devices read the sums, on streams of their own.
            WaitFor($"the sums of {microBatches.Count} micro-batches");
            return losses;
        });
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
        if (_update is { } update)
            return update.Fold(roots, slice, (TorchVector)Gradient());
        // Pieces from other GPUs are copied to this one first.
        var parts = roots.Select(r => (r.Node, ((TorchVector)r.Gradient).Range(slice.First, slice.Count).to(_device))).ToList();
        var sum = SumTree.Fold<Tensor>(parts, totalMicroBatches, (a, b) => a + b);
        Flat(Gradient()).narrow(0, slice.First, slice.Count).copy_(sum);
        return sum.view(slice.Tiles, FlatLayout.Tile).to(float64).pow(2).sum(1).to(CPU).data<double>().ToArray();
    }

    /// <inheritdoc/>
    public override void UpdateSlice(Slice slice, IOptimizer optimizer, OptimizerStep step)
        => OnDevice(() =>
        {
            ArgumentNullException.ThrowIfNull(optimizer);
            string[] names = [VectorSet.Parameters, .. optimizer.Vectors];
            _updated = names.ToDictionary(name => name, name => Near(name, slice, optimizer));
            Update(_updated, slice, optimizer, step);
            foreach (var name in names)
                Return(name, _updated[name], slice);
            // Other GPUs read what this one has written.
            WaitFor($"the update of {slice.Tiles} tiles");
            foreach (var name in names)
                ((TorchVector)Vectors[name]).Touch();
            return true;
        });

    // What the update of a slice works on: the replica's vector, where this device may write it, or a copy.
    private TorchVector Near(string name, Slice slice, IOptimizer optimizer)
    {
        if (_sends && name == VectorSet.Parameters)
            return _copies.Whole(Vectors, name);
        var vector = (TorchVector)Vectors[name];
        // Our kernel writes the memory of GPUs that this one reaches; libtorch's operators do not.
        return !_sends && optimizer is AdamW && _update is { } update && update.Kernels.Reaches(vector.Gpu)
            ? vector
            : _copies.Part(Vectors, name, slice);
    }

    private void Return(string name, TorchVector near, Slice slice)
    {
        if (_sends || ReferenceEquals(near, Vectors[name]))
            return;
        using var scope = NewDisposeScope();
        ((TorchVector)Vectors[name]).Range(slice.First, slice.Count).copy_(near.Range(slice.First, slice.Count));
    }

    private void Update(Dictionary<string, TorchVector> near, Slice slice, IOptimizer optimizer, OptimizerStep step)
    {
        switch (optimizer)
        {
            case AdamW adamW:
                AdamW.CheckFinite(step);
                foreach (var (group, first, count) in Layout.TrainedPartsOf(slice))
                    Update(near, adamW.Settings, first, count, group.Decays ? adamW.Settings.WeightDecay : 0, step);
                break;
            case Muon muon:
                AdamW.CheckFinite(step);
                foreach (var (group, first, count) in HiddenMatrix.OthersIn(Layout, slice))
                    Update(near, muon.Settings, first, count, group.Decays ? muon.Settings.WeightDecay : 0, muon.StepOfOthers(step));
                foreach (var matrix in HiddenMatrix.In(Layout, slice))
                    TorchMuon.Update(
                        muon.Settings, matrix, step, near[VectorSet.Parameters], near[VectorSet.FirstMoment], (TorchVector)Gradient(),
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
            using var scope = NewDisposeScope();
            foreach (var name in names)
            {
                Flat(into[name]).narrow(0, slice.First, slice.Count).copy_(Flat(Vectors[name]).narrow(0, slice.First, slice.Count));
                ((TorchVector)into[name]).Touch();
            }
            // The copies wait in the stream of the GPU on which the vectors lie, and other GPUs write there in the update: one element that
            // is read waits for all of them.
            _ = Flat(into[names[0]]).narrow(0, 0, 1).cpu();
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
            return Pass(TapePurpose.Evaluation, batch.Inputs, batch.Rows, batch).Run().to(float64).to(CPU).data<double>().ToArray();
        });
    }

    /// <inheritdoc/>
    public override float[] Logits(ReadOnlySpan<int> source, ReadOnlySpan<int> tokens)
    {
        int[] all = tokens.ToArray(), sources = source.ToArray();
        return OnDevice(() =>
        {
            using var scope = NewDisposeScope();
            using var noGradient = no_grad();
            return Pass(TapePurpose.Generation, all, 1, sources: sources).Run().to(CPU).data<float>().ToArray();
        });
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _copies.Dispose();
        _pieces.ForEach(p => p.Dispose());
        _folded?.Dispose();
        _gradients.Dispose();
    }

    private static Tensor Flat(DeviceVector vector) => ((TorchVector)vector).Flat;

    private double ForwardBackward(MicroBatch batch, TorchVector gradient, DropoutSeed seed, Precision precision, double lossScale)
    {
        using var scope = NewDisposeScope();
        gradient.Clear();
        // Backward accumulates into the views of the flat gradient.
        var leaves = Layout.Segments.ToDictionary(s => s.Name, s =>
        {
            var leaf = _copies.Whole(Vectors, VectorSet.Parameters).View(Layout, s.Name).detach();
            if (!s.Parameter.IsTrained)
                return leaf;
            leaf.requires_grad_(true);
            leaf.grad = gradient.View(Layout, s.Name);
            return leaf;
        });
        var pass = Pass(
            TapePurpose.Training, batch.Inputs, batch.Rows, batch, leaves, seed, precision: precision,
            factor: lossScale / batch.StepTargets);
        var losses = pass.Run();
        BackwardFailure?[] failures = [_update?.Kernels.Failure, _flash?.Failure, _products?.Failure];
        foreach (var failure in failures)
            failure?.Clear();
        pass.Backward(losses);
        foreach (var failure in failures)
            failure?.ThrowIfAny();
        return losses.detach().sum(ScalarType.Float64).item<double>();
    }

    private TorchPass Pass(
        TapePurpose purpose, int[] inputs, int rows, MicroBatch? batch = null, Dictionary<string, Tensor>? leaves = null,
        DropoutSeed seed = default, int[]? sources = null, Precision? precision = null, double factor = 1)
    {
        sources = batch?.Sources ?? sources ?? [];
        CheckSource(sources.Length > 0);
        var tape = new Tape(
            purpose, new BatchShape(1, rows, inputs.Length / rows, sources.Length / rows), Layout, _labelSmoothing, precision);
        Architecture.Record(tape);
        var vectors = _copies.Whole(Vectors, VectorSet.Parameters);
        return new TorchPass(
            tape, name => leaves?[Layout[name].Name] ?? vectors.View(Layout, name), Tokens(inputs),
            batch is null ? null : Tokens([.. batch.Targets.Select(t => t == MicroBatch.NotCounted ? 0 : t)]), _device, float32)
        {
            Counted = batch is null ? null : TorchPass.CountedOf(batch, float32).to(_device),
            Segments = batch?.Segments is { } segments ? tensor(segments, int64).to(_device) : null,
            Types = batch?.Types is { } types ? tensor(types, int64).to(_device) : null,
            Sources = sources.Length > 0 ? Tokens(sources) : null,
            SourceSegments = batch?.Sources is null ? null : tensor(batch.SourceSegments(), int64).to(_device),
            Seed = seed,
            FirstMicroBatch = batch?.Index ?? 0,
            MultipliesNarrow = true,
            LossFactor = factor,
            Kernels = _update?.Kernels,
            Flash = _flash,
            Rules = _flash is null ? null : new AttentionRules(tape, batch, _device),
            // A text that grows by a token has another shape each time, and nothing of a run's answer depends on it.
            Products = purpose == TapePurpose.Generation ? null : _products,
            TokenRows = _update is not null && purpose == TapePurpose.Training && sources.Length == 0
                ? TokenRows.Of(inputs, Architecture.Vocabulary, _device)
                : null,
        };
    }

    private Tensor Tokens(int[] tokens)
    {
        foreach (var token in tokens)
        {
            if ((uint)token >= (uint)Architecture.Vocabulary)
                throw new ArgumentException($"token {token} is not in the vocabulary of {Architecture.Vocabulary}", nameof(tokens));
        }
        return tensor(tokens, int64).to(_device);
    }

    // Our AdamW over one flat range; libtorch's fused one where there are no kernels.
    private void Update(
        Dictionary<string, TorchVector> near, Messages.Settings.OptimizerSettings settings, long first, long count,
        double weightDecay, OptimizerStep step)
    {
        using var scope = NewDisposeScope();
        TorchVector p = near[VectorSet.Parameters], m = near[VectorSet.FirstMoment], v = near[VectorSet.SecondMoment];
        var gradient = (TorchVector)Gradient();
        if (_update is { } update)
        {
            update.AdamW(settings, p, m, v, gradient, first, count, weightDecay, step);
            return;
        }
        Tensor[] Part(TorchVector vector) => [vector.Range(first, count)];
        var g = Part(gradient);
        if (step.ClipCoefficient != 1)
            g[0].mul_((float)step.ClipCoefficient);
        Dispatcher.Call(
            "aten::_fused_adamw_", "", 0, Part(p), g, Part(m), Part(v),
            Array.Empty<Tensor>(), new[] { full(1, (float)step.Number, float32, _device).squeeze() },
            step.LearningRate, settings.Beta1, settings.Beta2, weightDecay, settings.Epsilon, false, false,
            Dispatcher.Argument.None, Dispatcher.Argument.None);
    }

    // Where the folded slice goes: the device's first root, whose slice no other device reads, or a buffer of its own if it has none.
    private DeviceVector Gradient() => _gradients.Roots is [var first, ..] ? first.Gradient : (_folded ??= _gradients.Rent()).Flat;

    private void WaitFor(string what)
    {
        if (_stream is { } stream)
            stream.Synchronize(what);
        else
            _update?.Kernels.Synchronize(what);
    }

    // A GPU's errors stay with it until the process ends: it is lost, and the others go on. Memory that did not suffice is no such error.
    private T OnDevice<T>(Func<T> work)
    {
        Enter();
        try
        {
            _stream?.Enter();
            return work();
        }
        catch (Exception e) when (IsLoss(e))
        {
            // Without its cause, whose kind would say that the work must not be tried again: it must, elsewhere.
            throw new DeviceFailedException(Id, isLost: true, $"{Id} is lost to this process: {e.Message.Split('\n')[0]}");
        }
        catch (AttentionException)
        {
            // It does not say why. Where the GPU is lost, every call to it fails.
            OnDevice(() =>
            {
                WaitFor("attention");
                using var one = zeros(1, float32, _device);
                return one.cpu();
            }).Dispose();
            throw;
        }
    }

    /// <summary>True for what the driver or libtorch says of a GPU that is lost to this process.</summary>
    internal static bool IsLoss(Exception e) => e is CudaException { IsLost: true }
        || e is ExternalException && e.Message.Contains("CUDA error", StringComparison.Ordinal)
            && !e.Message.Contains("out of memory", StringComparison.Ordinal);

    // libtorch keeps the number of threads for each calling thread; another number gives other bits.
    private static void Enter()
    {
        if (_oneThread)
            return;
        set_num_threads(1);
        _oneThread = true;
    }
}
