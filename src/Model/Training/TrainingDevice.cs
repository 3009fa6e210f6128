using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Native;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Vectors;
using static TorchSharp.torch;

namespace Elastic.Model.Training;

/// <summary>
/// One device and all its computations, of which <see cref="TrainingStep"/> is made. Each device belongs to one thread; no call waits for
/// another device.
/// </summary>
public sealed class TrainingDevice : IDisposable
{
    [ThreadStatic]
    private static int _threadsOfThisThread;

    private readonly int _threads;
    private readonly FlatLayout _layout;
    private readonly GradientTree _gradients;
    private readonly INetwork _network;
    private ReplicaVectors? _vectors;
    private ParameterViews? _parameters;
    private GradientBuffer? _folded;

    /// <summary>A device by its name, e.g. "cpu:0" or "cuda:1".</summary>
    /// <param name="architecture">The model that the device trains.</param>
    /// <param name="labelSmoothing">See <see cref="OptimizerSettings.LabelSmoothing"/>; training only.</param>
    /// <param name="threads">Arithmetic threads on a CPU. Another number gives other bits; see <see cref="NodeSettings"/>.</param>
    /// <exception cref="ElasticException">The device does not exist.</exception>
    public TrainingDevice(DeviceId id, IArchitecture architecture, double labelSmoothing = 0, int threads = 1)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        (Id, Architecture, _threads) = (id, architecture, threads);
        NativeTorch.Load();
        var device = Devices.Open(id);
        _layout = new FlatLayout(architecture.Parameters);
        _gradients = new GradientTree(_layout, device);
        _network = architecture.OpenNetwork(labelSmoothing, device);
    }

    /// <summary>The device's name.</summary>
    public DeviceId Id { get; }

    /// <summary>The model that the device trains.</summary>
    public IArchitecture Architecture { get; }

    /// <summary>
    /// The gradient sums of the last <see cref="Accumulate"/>, for the other devices to read. They change with the next one.
    /// </summary>
    public IReadOnlyList<SubtreeRoot> Roots => _gradients.Roots;

    /// <summary>Trains this replica from now on. The parameters stay where they are: the network reads the vectors themselves.</summary>
    public void Attach(ReplicaVectors vectors)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        if (!vectors.Layout.IsSameAs(_layout))
            throw new ArgumentException($"the vectors do not hold a {Architecture.Signature}", nameof(vectors));
        if (ReferenceEquals(vectors, _vectors))
            return;
        Detach();
        (_vectors, _parameters) = (vectors, new ParameterViews(_layout, vectors.Parameters));
    }

    /// <summary>
    /// Releases the replica. To be called before its vectors are disposed of: the network's views would keep the parameters' memory.
    /// </summary>
    public void Detach()
    {
        _parameters?.Dispose();
        (_vectors, _parameters) = (null, null);
    }

    /// <summary>
    /// Forward and backward of consecutive micro-batches of a step. Sums their contributions to its gradient into <see cref="Roots"/>.
    /// </summary>
    /// <param name="microBatches">May be empty.</param>
    /// <returns>Mean loss of each micro-batch, nats per target.</returns>
    public double[] Accumulate(IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed)
    {
        ArgumentNullException.ThrowIfNull(microBatches);
        Enter();
        _gradients.Clear();
        var losses = new double[microBatches.Count];
        for (var i = 0; i < microBatches.Count; i++)
        {
            using var scope = NewDisposeScope();
            var buffer = _gradients.Rent();
            try
            {
                losses[i] = _network.ForwardBackward(microBatches[i], Parameters, buffer.Views, seed);
            }
            catch
            {
                _gradients.Return(buffer);
                throw;
            }
            _gradients.Add(microBatches[i].Index, buffer);
        }
        return losses;
    }

    /// <summary>Folds <paramref name="slice"/> of all devices' roots, in tree order, into this device's gradient.</summary>
    /// <param name="roots">The <see cref="Roots"/> of all devices together: all micro-batches, each once.</param>
    /// <returns>Sums of squares of the slice's tiles, in tile order, for <see cref="GradientNorm.Fold"/>.</returns>
    public double[] FoldSlice(IReadOnlyList<SubtreeRoot> roots, int totalMicroBatches, Slice slice)
    {
        ArgumentNullException.ThrowIfNull(roots);
        Enter();
        return SliceFold.Fold(roots, totalMicroBatches, slice, Gradient());
    }

    /// <summary>One step of the optimizer on <paramref name="slice"/>, with the gradient that <see cref="FoldSlice"/> left.</summary>
    public void UpdateSlice(Slice slice, IOptimizer optimizer, OptimizerStep step)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        Enter();
        optimizer.Update(Vectors, Gradient(), slice, step);
    }

    /// <summary>Losses of each row, without dropout, smoothing or gradients.</summary>
    public ScoreSum[] Evaluate(MicroBatch batch)
    {
        Enter();
        return _network.Evaluate(batch, Parameters);
    }

    /// <summary>Logits of the token that follows <paramref name="tokens"/>, (V). At most the model's context of tokens.</summary>
    public float[] Logits(ReadOnlySpan<int> tokens)
    {
        Enter();
        return _network.Logits(tokens, Parameters);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Detach();
        _folded?.Dispose();
        _gradients.Dispose();
        _network.Dispose();
    }

    private ReplicaVectors Vectors => _vectors ?? throw new InvalidOperationException($"{Id} has no vectors yet: Attach some");

    private ParameterViews Parameters => _parameters ?? throw new InvalidOperationException($"{Id} has no vectors yet: Attach some");

    // Where the folded slice goes: the device's first root, whose slice no other device reads, or a buffer of its own if it has none.
    private Tensor Gradient() => _gradients.Roots is [var first, ..] ? first.Gradient : (_folded ??= _gradients.Rent()).Flat;

    // libtorch keeps the number of threads per calling thread.
    private void Enter()
    {
        Matmul.ManyThreads = _threads > 1;
        if (_threadsOfThisThread == _threads)
            return;
        set_num_threads(_threads);
        _threadsOfThisThread = _threads;
    }
}
