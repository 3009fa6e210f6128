using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// One device and all its computations, of which <see cref="TrainingStep"/> is made. Each device belongs to one thread; no call waits for
/// another device.
/// </summary>
public abstract class TrainingDevice(DeviceId id, IArchitecture architecture) : IDisposable
{
    private ReplicaVectors? _vectors;

    /// <summary>The device's name, e.g. "cpu:0" or "cuda:1".</summary>
    public DeviceId Id { get; } = id;

    /// <summary>The model that the device trains.</summary>
    public IArchitecture Architecture { get; } = architecture;

    /// <summary>
    /// The gradient sums of the last <see cref="Accumulate"/>, for the other devices to read. They change with the next one.
    /// </summary>
    public abstract IReadOnlyList<SubtreeRoot> Roots { get; }

    /// <summary>Where each parameter lies.</summary>
    protected FlatLayout Layout { get; } = new(architecture.Parameters);

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

    /// <summary>Releases the replica. To be called before its vectors are disposed of.</summary>
    public virtual void Detach() => _vectors = null;

    /// <summary>
    /// Forward and backward of consecutive micro-batches of a step. Sums their contributions to its gradient into <see cref="Roots"/>.
    /// </summary>
    /// <param name="microBatches">May be empty.</param>
    /// <returns>The sum of the losses of each micro-batch's counted targets, nats.</returns>
    public abstract double[] Accumulate(IReadOnlyList<MicroBatch> microBatches, DropoutSeed seed);

    /// <summary>Folds <paramref name="slice"/> of all devices' roots, in tree order, into this device's gradient.</summary>
    /// <param name="roots">The <see cref="Roots"/> of all devices together: all micro-batches, each once.</param>
    /// <returns>Sums of squares of the slice's tiles, in tile order, for <see cref="GradientNorm.Fold"/>.</returns>
    public abstract double[] FoldSlice(IReadOnlyList<SubtreeRoot> roots, int totalMicroBatches, Slice slice);

    /// <summary>One step of the optimizer on <paramref name="slice"/>, with the gradient that <see cref="FoldSlice"/> left.</summary>
    /// <exception cref="ElasticException">The gradient is not finite; no vector was changed.</exception>
    public abstract void UpdateSlice(Slice slice, IOptimizer optimizer, OptimizerStep step);

    /// <summary>
    /// The cross-entropy of each target, nats, (Rows, T), 0 where it is not counted; without dropout, smoothing or gradients.
    /// </summary>
    public abstract double[] Losses(MicroBatch batch);

    /// <summary>The same, summed over each row, from the first target to the last.</summary>
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

    /// <summary>The same of an encoder-decoder, whose encoder reads <paramref name="source"/>; that is empty for other networks.</summary>
    public abstract float[] Logits(ReadOnlySpan<int> source, ReadOnlySpan<int> tokens);

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

    /// <summary>Frees the device's memory.</summary>
    protected abstract void Dispose(bool disposing);
}
