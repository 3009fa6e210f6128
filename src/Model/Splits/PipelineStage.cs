using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Training;

namespace Elastic.Model.Splits;

/// <summary>Micro-batches that go through a pipeline together: a full subtree of the step's.</summary>
public sealed record PipelineUnit(TreeNode Node, IReadOnlyList<MicroBatch> MicroBatches);

/// <summary>
/// A stage of a pipeline on its device. Called on the device's thread, in the order of <see cref="PipelineSchedule"/>, each when the
/// stage before or behind has done the same unit: then it reads what that one has made. Where several devices share a stage, each is a
/// rank of it, and nothing of a pass is called before all ranks have ended what was called before.
/// </summary>
public abstract class PipelineStage(PipelineGroup group)
{
    // A frame is one array, with its header.
    private static readonly int MostBytes = Array.MaxLength - 1024;

    /// <summary>The stages that it belongs to.</summary>
    public PipelineGroup Group { get; } = group;

    /// <summary>
    /// The sums of gradients of the stage's parameters, in the order of the micro-batches; all ranks have the same. Called when the step's
    /// passes have ended, once or more often: a device may first gather what it has summed apart.
    /// </summary>
    public abstract IReadOnlyList<SubtreeRoot> TakeRoots();

    /// <summary>True for the stage whose embeddings' rows are summed apart.</summary>
    public abstract bool HasRows { get; }

    /// <summary>Bytes that it has copied from its neighbours' memory: what would travel where stages have no memory in common.</summary>
    public long CopiedBytes { get; protected set; }

    /// <summary>Begins a step.</summary>
    public abstract void Begin(IReadOnlyList<PipelineUnit> units, DropoutSeed seed, Precision precision, double lossScale);

    /// <summary>Begins the forward pass of a unit.</summary>
    /// <exception cref="ElasticException">The unit has fewer rows than the stage has ranks.</exception>
    public abstract void BeginForward(int unit);

    /// <summary>Begins the backward pass of a unit.</summary>
    public abstract void BeginBackward(int unit);

    /// <summary>Goes on with the pass that has begun, until all ranks have to have what this one made.</summary>
    /// <returns>True when the pass has ended.</returns>
    public abstract bool Advance();

    /// <summary>On the first rank, when all have ended the backward pass of a unit: its gradient joins the sums.</summary>
    /// <returns>On the last stage, the sum of the losses of each micro-batch's counted targets, nats; none on others.</returns>
    public abstract double[] Add(int unit);

    /// <summary>The forward pass of a unit, on a stage of one device.</summary>
    public void Forward(int unit)
    {
        BeginForward(unit);
        while (!Advance())
        {
        }
    }

    /// <summary>The backward pass of a unit, on a stage of one device.</summary>
    /// <inheritdoc cref="Add" path="/returns"/>
    public double[] Backward(int unit)
    {
        BeginBackward(unit);
        while (!Advance())
        {
        }
        return Add(unit);
    }

    /// <summary>
    /// Where the stages are apart: what the next pass reads of the stage before, or behind, fp32 as this machine has it.
    /// </summary>
    public ReadOnlyMemory<byte> Received { get; set; }

    /// <summary>Bytes that go over a cut for a unit, forwards the activations, backwards their gradients.</summary>
    /// <param name="isIncoming">What the stage reads; otherwise what it makes.</param>
    /// <exception cref="ElasticException">They are more than one frame of a connection holds.</exception>
    public int BytesOver(int unit, bool isForward, bool isIncoming) => BytesOf(NumbersOver(unit, isForward, isIncoming));

    /// <summary>Numbers that go over a cut for a unit: see <see cref="BytesOver"/>.</summary>
    protected abstract long NumbersOver(int unit, bool isForward, bool isIncoming);

    /// <summary>Bytes of so many numbers of fp32, which travel together.</summary>
    /// <exception cref="ElasticException">They are more than one frame of a connection holds.</exception>
    internal static int BytesOf(long numbers) => numbers <= MostBytes / sizeof(float)
        ? (int)numbers * sizeof(float)
        : throw new ElasticException(
            $"the stages of a replica hand each other {(numbers * sizeof(float)) >> 20} MiB for a micro-batch, and can hand over " +
            $"{MostBytes >> 20} at once: lower batch.micro or corpus.sample-tokens, or use run.stages = 1");

    /// <summary>Where the stages are apart: copies what the last pass made for the stage behind, or before.</summary>
    /// <param name="into">As many bytes as <see cref="BytesOver"/> says.</param>
    public abstract void Pack(int unit, bool isForward, Span<byte> into);

    /// <summary>Frees its memory, where no stage of the group is at work.</summary>
    public abstract void Close();
}
