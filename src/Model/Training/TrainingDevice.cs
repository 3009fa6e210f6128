using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Native;
using Elastic.Model.Networks;
using Elastic.Model.Optimizers;
using Elastic.Model.Vectors;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Model.Training;

/// <summary>
/// One device and everything it computes. Each device belongs to one thread; no call waits for another device. An inner step of a replica whose
/// D devices share its vectors goes in three phases, and nobody begins the next before all have ended the last:
///
///   1. each device: <see cref="Accumulate"/> its range of the M micro-batches
///   2. each device: <see cref="FoldSlice"/> its slice of everybody's <see cref="Roots"/>; then the norm is known
///   3. each device: <see cref="UpdateSlice"/> its slice
///
/// The bits of the result depend on M and the tokens only: not on D, nor on who computed what.
/// </summary>
public sealed class TrainingDevice : IDisposable
{
    [ThreadStatic]
    private static int _threadsOfThisThread;

    private readonly OptimizerSettings _optimizer;
    private readonly int _threads;
    private readonly torch.Device _device;
    private readonly FlatLayout _layout;
    private readonly GradientTree _gradients;
    private readonly Gpt2 _model;
    private ReplicaVectors? _vectors;
    private Gpt2Tensors? _parameters;
    private GradientBuffer? _folded;

    /// <summary>A device by its name, e.g. "cpu:0" or "cuda:1".</summary>
    /// <param name="threads">Arithmetic threads on a CPU. Another number gives other bits; see <see cref="NodeSettings"/>.</param>
    /// <exception cref="ElasticException">There is no such device, or the model's settings do not fit together.</exception>
    public TrainingDevice(DeviceId id, ModelSettings model, OptimizerSettings optimizer, int threads = 1)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        if (model.Problems().FirstOrDefault() is { } problem)
            throw new ElasticException(problem);
        (Id, Model, _optimizer, _threads) = (id, model, optimizer, threads);
        NativeTorch.Load();
        _device = Devices.Open(id);
        _layout = new FlatLayout(model);
        _gradients = new GradientTree(_layout, _device);
        _model = new Gpt2(model, optimizer.LabelSmoothing, _device);
    }

    /// <summary>Its name.</summary>
    public DeviceId Id { get; }

    /// <summary>The model that it trains.</summary>
    public ModelSettings Model { get; }

    /// <summary>
    /// The gradient sums of the last <see cref="Accumulate"/>, for the other devices to read. They change with the next one.
    /// </summary>
    public IReadOnlyList<SubtreeRoot> Roots => _gradients.Roots;

    /// <summary>Trains this replica from now on. The parameters stay where they are: the network reads the vectors themselves.</summary>
    public void Attach(ReplicaVectors vectors)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        if (vectors.Layout.Model.Signature != Model.Signature)
            throw new ArgumentException($"the vectors hold a {vectors.Layout.Model.Signature}, not a {Model.Signature}", nameof(vectors));
        if (ReferenceEquals(vectors, _vectors))
            return;
        Detach();
        (_vectors, _parameters) = (vectors, new Gpt2Tensors(_layout, vectors.Parameters));
    }

    /// <summary>
    /// Lets go of the replica. To be called before its vectors are disposed of: the network's views would keep the parameters' memory.
    /// </summary>
    public void Detach()
    {
        _parameters?.Dispose();
        (_vectors, _parameters) = (null, null);
    }

    /// <summary>
    /// Phase 1: forward and backward of consecutive micro-batches. Their gradients, of the mean loss over all
    /// <paramref name="totalMicroBatches"/>, are summed into <see cref="Roots"/>.
    /// </summary>
    /// <param name="microBatches">Tokens of each, row-major (micro, T + 1): the last column is predicted only. May be empty.</param>
    /// <param name="firstMicroBatch">Place of the first among the inner step's M.</param>
    /// <param name="totalMicroBatches">M.</param>
    /// <returns>Mean loss of each micro-batch, nats per token.</returns>
    public double[] Accumulate(
        IReadOnlyList<ReadOnlyMemory<int>> microBatches, int firstMicroBatch, int totalMicroBatches, int tokensPerRow, DropoutSeed seed)
    {
        ArgumentNullException.ThrowIfNull(microBatches);
        if (firstMicroBatch < 0 || firstMicroBatch + microBatches.Count > totalMicroBatches)
            throw new ArgumentOutOfRangeException(
                nameof(firstMicroBatch), $"[{firstMicroBatch}, {firstMicroBatch + microBatches.Count}) is not inside [0, {totalMicroBatches})");
        Enter();
        _gradients.Clear();
        var losses = new double[microBatches.Count];
        for (var i = 0; i < microBatches.Count; i++)
        {
            using var scope = NewDisposeScope();
            var (inputs, targets) = Blocks(microBatches[i].Span, tokensPerRow);
            var buffer = _gradients.Rent();
            try
            {
                losses[i] = _model.ForwardBackward(
                    inputs, targets, Parameters, buffer.Views, 1.0 / totalMicroBatches, DropoutMasks.For(Model.Dropout, seed, firstMicroBatch + i));
            }
            catch
            {
                _gradients.Return(buffer);
                throw;
            }
            _gradients.Add(firstMicroBatch + i, buffer);
        }
        return losses;
    }

    /// <summary>
    /// Phase 2: folds <paramref name="slice"/> of all devices' roots, in tree order, into this device's gradient.
    /// </summary>
    /// <param name="roots">The <see cref="Roots"/> of all devices together: all M micro-batches, each once.</param>
    /// <returns>Sums of squares of the slice's tiles, in tile order, for <see cref="GradientNorm.Fold"/>.</returns>
    public double[] FoldSlice(IReadOnlyList<SubtreeRoot> roots, int totalMicroBatches, Slice slice)
    {
        ArgumentNullException.ThrowIfNull(roots);
        Enter();
        return SliceFold.Fold(roots, totalMicroBatches, slice, Gradient());
    }

    /// <summary>Phase 3: one AdamW step of <paramref name="slice"/>, with the gradient that <see cref="FoldSlice"/> left.</summary>
    public void UpdateSlice(Slice slice, AdamWStep step)
    {
        Enter();
        AdamW.Update(Vectors, Gradient(), slice, step, _optimizer);
    }

    /// <summary>
    /// Mean loss of each row of a block of tokens, row-major (rows, T + 1), in nats per token. No dropout, no smoothing, no gradient.
    /// </summary>
    public double[] Evaluate(ReadOnlyMemory<int> tokens, int tokensPerRow)
    {
        Enter();
        using var scope = NewDisposeScope();
        var (inputs, targets) = Blocks(tokens.Span, tokensPerRow);
        return _model.Losses(inputs, targets, Parameters).to(CPU).data<double>().ToArray();
    }

    /// <summary>Logits of the token that follows <paramref name="tokens"/>, (V). At most the model's context of tokens.</summary>
    public float[] Logits(ReadOnlySpan<int> tokens)
    {
        if (tokens.Length < 1 || tokens.Length > Model.Context)
            throw new ArgumentOutOfRangeException(nameof(tokens), $"{tokens.Length} tokens: use 1 to the context's {Model.Context}");
        Enter();
        using var scope = NewDisposeScope();
        var inputs = Block(tokens, 1, tokens.Length);
        return _model.Logits(inputs, Parameters, 1).to(CPU).data<float>().ToArray();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Detach();
        _folded?.Dispose();
        _gradients.Dispose();
        _model.Dispose();
    }

    private ReplicaVectors Vectors => _vectors ?? throw new InvalidOperationException($"{Id} has no vectors yet: Attach some");

    private Gpt2Tensors Parameters => _parameters ?? throw new InvalidOperationException($"{Id} has no vectors yet: Attach some");

    // Where the folded slice goes: the device's first root, whose slice nobody else reads, or a buffer of its own if it has none.
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

    // (rows, T + 1) -> inputs (rows, T) and targets (rows T), int64.
    private (Tensor Inputs, Tensor Targets) Blocks(ReadOnlySpan<int> tokens, int tokensPerRow)
    {
        if (tokensPerRow < 2 || tokensPerRow > Model.Context + 1 || tokens.Length == 0 || tokens.Length % tokensPerRow != 0)
            throw new ArgumentException(
                $"{tokens.Length} tokens in rows of {tokensPerRow}: use whole rows of 2 to {Model.Context + 1}", nameof(tokens));
        var rows = tokens.Length / tokensPerRow;
        var block = Block(tokens, rows, tokensPerRow);
        return (block.narrow(1, 0, tokensPerRow - 1).contiguous(), block.narrow(1, 1, tokensPerRow - 1).reshape(-1));
    }

    private Tensor Block(ReadOnlySpan<int> tokens, int rows, int columns)
    {
        var wide = new long[tokens.Length];
        for (var i = 0; i < wide.Length; i++)
        {
            if ((uint)tokens[i] >= (uint)Model.Vocabulary)
                throw new ArgumentException($"token {tokens[i]} is not in the vocabulary of {Model.Vocabulary}", nameof(tokens));
            wide[i] = tokens[i];
        }
        return tensor(wide, rows, columns).to(_device);
    }
}
