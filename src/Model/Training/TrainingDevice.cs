using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Generation;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// One device and all its computations, of which <see cref="TrainingStep"/> is made. Each device belongs to one thread; no call waits for
/// another device.
/// </summary>
public abstract class TrainingDevice(DeviceId id, IArchitecture architecture) : IDisposable
{
    private ReplicaVectors? _vectors;
    private long _partsEnded;

    /// <summary>The device's name, e.g. "cpu:0" or "cuda:1".</summary>
    public DeviceId Id { get; } = id;

    /// <summary>The model that the device trains.</summary>
    public IArchitecture Architecture { get; } = architecture;

    /// <summary>
    /// The gradient sums of the last <see cref="Accumulate(IReadOnlyList{MicroBatch}, DropoutSeed)"/>, for the other devices to read. They
    /// change with the next one.
    /// </summary>
    public abstract IReadOnlyList<SubtreeRoot> Roots { get; }

    /// <summary>Parts of long work that the device has ended so far, for <see cref="Progress"/>. Thread-safe.</summary>
    public long PartsEnded => Interlocked.Read(ref _partsEnded);

    /// <summary>Where each parameter lies.</summary>
    protected FlatLayout Layout { get; } = new(architecture.Parameters);

    /// <summary>The replica's loss scale, where its precision has one.</summary>
    public LossScale LossScale
    {
        get => LossScale.Read(Vectors);
        set => value.Write(Vectors);
    }

    /// <summary>The replica that the device trains.</summary>
    protected ReplicaVectors Vectors => _vectors ?? throw new InvalidOperationException($"{Id} has no vectors yet: Attach some");

    /// <summary>Trains this replica from now on. The parameters stay where they are: the network reads the vectors themselves.</summary>
    public void Attach(ReplicaVectors vectors)
    {
        ArgumentNullException.ThrowIfNull(vectors);
        if (!vectors.Layout.IsSameAs(Layout))
            throw new ArgumentException($"the vectors do not hold a {Architecture.Signature}", nameof(vectors));
        if (ReferenceEquals(vectors, _vectors))
            return;
        Detach();
        _vectors = vectors;
    }

    /// <summary>
    /// Notes that a part of the work has ended: a group of micro-batches, a piece of the vectors. The deadlines of who waits begin anew.
    /// </summary>
    internal void NotePart() => Interlocked.Increment(ref _partsEnded);

    /// <summary>Releases the replica. To be called before its vectors are disposed of.</summary>
    public virtual void Detach() => _vectors = null;

    /// <summary>
    /// Forward and backward of consecutive micro-batches of a step. Sums their contributions to its gradient into <see cref="Roots"/>.
    /// </summary>
    /// <param name="microBatches">May be empty.</param>
    /// <param name="precision">Where it is narrow, <see cref="NarrowSlice"/> has rounded all slices since the parameters changed.</param>
    /// <param name="lossScale">What the loss is multiplied by, whose gradient this is.</param>
    /// <returns>The sum of the losses of each micro-batch's counted targets, nats; not scaled.</returns>
    public abstract double[] Accumulate(
        IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed, Precision precision, double lossScale);

    /// <summary>Forward and backward of consecutive micro-batches of a step, in fp32 and with the loss not scaled.</summary>
    public double[] Accumulate(IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed)
        => Accumulate(microBatches, seed, Precision.Fp32, 1);

    /// <summary>What the device does as a rank of a tensor group.</summary>
    /// <exception cref="NotSupportedException">This kind of device computes whole micro-batches.</exception>
    public virtual ITensorRank InTensorGroup() =>
        throw new NotSupportedException($"{Id} computes whole micro-batches: it takes no part in a tensor group");

    /// <summary>
    /// The device takes its part of ZeRO-2 in the next step: it keeps sums of <paramref name="slice"/> alone, over the micro-batches of all
    /// devices. <see cref="Roots"/> are these sums then.
    /// </summary>
    /// <exception cref="NotSupportedException">This kind of device has whole gradients.</exception>
    public virtual void BeginShards(Slice slice) => throw NoShards();

    /// <summary>Begins the forward and backward pass of a full subtree of micro-batches, which stops at each bucket.</summary>
    /// <inheritdoc cref="BeginShards" path="/exception"/>
    public virtual void BeginPass(IReadOnlyList<MicroBatch> group, DropoutSeed seed, Precision precision, double lossScale)
        => throw NoShards();

    /// <summary>
    /// Goes on with the pass until the next bucket is complete, for the other devices to read. It changes with the next one.
    /// </summary>
    /// <inheritdoc cref="BeginShards" path="/exception"/>
    public virtual PassBucket NextBucket() => throw NoShards();

    /// <summary>Adds the device's slice of a bucket of all passes of a turn, in the order of the micro-batches, to its sums.</summary>
    /// <inheritdoc cref="BeginShards" path="/exception"/>
    public virtual void FoldBucket(IReadOnlyList<PassBucket> buckets) => throw NoShards();

    /// <summary>
    /// Micro-batches that go through the network together, at most: 1 where the arithmetic of a product depends on its shape.
    /// </summary>
    public virtual int MostTogether => int.MaxValue;

    /// <summary>The stage of a pipeline that the device computes, of several pieces the first; null for none.</summary>
    public virtual PipelineStage? Stage => null;

    /// <summary>
    /// The device computes this stage of a pipeline, until it takes whole micro-batches again. <see cref="Roots"/> are the pipeline's then.
    /// </summary>
    /// <param name="stage">Below <see cref="PipelineGroup.Count"/>: all of its pieces.</param>
    /// <param name="rank">Number among the devices that share the stage; 0 where it is one device.</param>
    /// <exception cref="NotSupportedException">This kind of device computes whole networks.</exception>
    public virtual void OpenStage(PipelineGroup group, int stage, int rank)
        => throw new NotSupportedException($"{Id} computes whole networks: it takes no part in a pipeline");

    /// <summary>Rounds <paramref name="slice"/> of the parameters into the replica's working copy, where the device has one.</summary>
    public virtual void NarrowSlice(Slice slice, Precision precision)
    {
    }

    /// <summary>Folds <paramref name="slice"/> of all devices' roots, in tree order, into this device's gradient.</summary>
    /// <param name="roots">The <see cref="Roots"/> of all devices together: all micro-batches, each once.</param>
    /// <returns>Sums of squares of the slice's tiles, in tile order, for <see cref="GradientNorm.Fold"/>.</returns>
    public abstract double[] FoldSlice(IReadOnlyList<SubtreeRoot> roots, int totalMicroBatches, Slice slice);

    /// <summary>
    /// What each trained parameter adds to the sum of squares of a tile, in order, after <see cref="FoldSlice"/>: for a tile of which
    /// stages in processes of their own have one parameter each.
    /// </summary>
    /// <exception cref="NotSupportedException">This kind of device computes whole networks.</exception>
    public virtual IReadOnlyList<double> SquaresOf(int tile) =>
        throw new NotSupportedException($"{Id} computes whole networks: it takes no part in a pipeline");

    /// <summary>One step of the optimizer on <paramref name="slice"/>, with the gradient that <see cref="FoldSlice"/> left.</summary>
    /// <exception cref="ElasticException">The gradient is not finite; no vector was changed.</exception>
    public abstract void UpdateSlice(Slice slice, IOptimizer optimizer, OptimizerStep step);

    /// <summary>Copies a slice of vectors of the replica to others of the same kind, which lie in the same memory.</summary>
    public virtual void CopySlice(Slice slice, IReadOnlyList<string> names, ReplicaVectors into)
    {
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(into);
        foreach (var piece in slice.Pieces(Layout, FileOffload.PieceElements, UpdateGranularity.Tiles))
        {
            foreach (var name in names)
            {
                HostVector from = Vectors.Host(name), to = into.Host(name);
                from.Span(piece.First, (int)piece.Count).CopyTo(to.Span(piece.First, (int)piece.Count));
                from.Release(piece.First, piece.Count);
                to.Release(piece.First, piece.Count);
            }
            NotePart();
        }
    }

    /// <summary>Copies what no device owns: frozen parameters, and vectors that the precision needs.</summary>
    public void CopyRest(Slice frozen, IReadOnlyList<string> names, ReplicaVectors into)
    {
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(into);
        CopySlice(frozen, [VectorSet.Parameters], into);
        foreach (var name in names)
        {
            var values = new float[Layout.LengthOf(name)];
            Vectors.CopyTo(name, 0, values);
            into.CopyFrom(name, 0, values);
        }
    }

    /// <summary>
    /// The cross-entropy of each target, nats, (Rows, T), 0 where it is not counted; without dropout, smoothing or gradients.
    /// </summary>
    public abstract double[] Losses(MicroBatch batch);

    /// <summary>The cross-entropies of <see cref="Losses"/>, summed over each row, from the first target to the last.</summary>
    public ScoreSum[] Evaluate(MicroBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var losses = Losses(batch);
        var rows = new ScoreSum[batch.Rows];
        for (var i = 0; i < losses.Length; i++)
            if (batch.Targets[i] != MicroBatch.NotCounted)
                rows[i / batch.Columns] += new ScoreSum(losses[i], 1);
        return rows;
    }

    /// <summary>Logits of the token that follows <paramref name="tokens"/>, (V). At most the model's context of tokens.</summary>
    public float[] Logits(ReadOnlySpan<int> tokens) => Logits([], tokens);

    /// <summary>
    /// Logits of the next token, (V), of an encoder-decoder whose encoder reads <paramref name="source"/>; empty for other networks.
    /// </summary>
    public abstract float[] Logits(ReadOnlySpan<int> source, ReadOnlySpan<int> tokens);

    /// <summary>Bytes of memory that a text of so many tokens takes on this device; 0 where it keeps nothing of a text.</summary>
    public virtual long StateBytes(int capacity) => 0;

    /// <summary>An empty text that can grow to so many tokens; whoever asks for it disposes of it.</summary>
    /// <param name="source">What an encoder-decoder answers, of this device; it must outlive the text. Null for other networks.</param>
    /// <exception cref="ArgumentOutOfRangeException">More than the model's context.</exception>
    /// <exception cref="ArgumentException">The network needs a source, or reads none.</exception>
    /// <exception cref="OutOfMemoryException">The device does not have <see cref="StateBytes"/>.</exception>
    public DecoderState NewState(int capacity, EncodedSource? source = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, Architecture.Context);
        CheckSource(source is not null);
        return MakeState(capacity, source);
    }

    /// <summary>Reads a source that texts are to answer, once for all of them; whoever asks for it disposes of it.</summary>
    /// <exception cref="ArgumentException">The network reads no source, or not this one.</exception>
    public EncodedSource Encode(ReadOnlySpan<int> source)
    {
        CheckSource(!source.IsEmpty);
        return MakeSource(source);
    }

    /// <summary>
    /// Continues texts of this device, all in one pass: appends each one's new tokens, few or a whole prompt, and leaves the logits of the
    /// token that follows in its state. What else is in the pass never shows in a text's bits: they are those of
    /// <see cref="Logits(ReadOnlySpan{int}, ReadOnlySpan{int})"/>. A text whose pass fails is as before.
    /// </summary>
    /// <exception cref="ArgumentException">No tokens, more than the capacity, one state twice, or a token that is none.</exception>
    public void Decode(IReadOnlyList<DecoderInput> inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        foreach (var input in inputs)
        {
            ObjectDisposedException.ThrowIf(input.State.IsDisposed, input.State);
            ObjectDisposedException.ThrowIf(input.State.Source is { IsDisposed: true }, typeof(EncodedSource));
            if (input.Tokens.Length < 1 || input.State.Tokens.Count + input.Tokens.Length > input.State.Capacity)
            {
                throw new ArgumentException(
                    $"{input.Tokens.Length} new tokens after {input.State.Tokens.Count} in a state of {input.State.Capacity}: use at least "
                    + "one, and no more than fit", nameof(inputs));
            }
        }
        if (inputs.DistinctBy(i => i.State).Count() < inputs.Count)
            throw new ArgumentException("a text is in one pass twice", nameof(inputs));
        Predict(inputs);
        foreach (var input in inputs)
            input.State.Append(input.Tokens.Span);
    }

    /// <summary>Work with vectors that lie in the device's memory; where the device is lost in it, it says so.</summary>
    /// <exception cref="DeviceFailedException">The device is lost.</exception>
    public virtual T Use<T>(Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        return work();
    }

    /// <summary>
    /// Ends the device where others of the replica may be at work yet: frees all but the gradients, which they may still read. The garbage
    /// collector frees those.
    /// </summary>
    public virtual void Retire() => Detach();

    /// <inheritdoc/>
    public void Dispose()
    {
        Detach();
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc cref="NewState"/>
    protected virtual DecoderState MakeState(int capacity, EncodedSource? source) => new(capacity, source);

    /// <inheritdoc cref="Encode"/>
    protected virtual EncodedSource MakeSource(ReadOnlySpan<int> source) => new(source);

    /// <summary>Refuses a network that reads a source and gets none, and the other way round.</summary>
    /// <exception cref="ArgumentException">It is so.</exception>
    protected void CheckSource(bool hasSource)
    {
        if (hasSource != Architecture.SourceContext > 0)
            throw new ArgumentException(hasSource ? "the network reads no source" : "the network needs a source");
    }

    /// <summary>Computes the logits that the inputs ask for. A device that keeps nothing of a text computes all of it.</summary>
    protected virtual void Predict(IReadOnlyList<DecoderInput> inputs)
    {
        foreach (var input in inputs.Where(i => i.Predicts))
            input.State.TakeLogits(Logits(input.SourceTokens, input.Text));
    }

    /// <summary>Frees the device's memory.</summary>
    protected abstract void Dispose(bool disposing);

    private NotSupportedException NoShards() => new($"{Id} has whole gradients: it takes no part in ZeRO-2");
}
