using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Tapes;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>What nodes take that compute a replica together, a stage each on one device (<c>run.stages</c>).</summary>
/// <param name="Bytes">Bytes of memory, by stage: its parameters and moments, its sums of gradients, its passes.</param>
/// <param name="SentBytes">What the node that sends most sends in a step: activations, their gradients, tied embeddings.</param>
/// <param name="Bubble">The share of the time in which a node waits for its neighbours.</param>
public sealed record StagePlan(IReadOnlyList<double> Bytes, double SentBytes, double Bubble)
{
    /// <summary>What each stage sends of a micro-batch: activations to the stage behind, their gradients to the one before.</summary>
    public required IReadOnlyList<double> CutBytesOfMicroBatch { get; init; }

    /// <summary>How many there are.</summary>
    public int Stages => Bytes.Count;

    /// <summary>Bytes of memory of the node that takes the most.</summary>
    public double MostBytes => Bytes.Max();

    /// <summary>Null where a network may be computed in stages on several nodes; otherwise a sentence with the remedy.</summary>
    /// <param name="stages">How many.</param>
    public static string? Problem(TrainingSettings settings, int stages)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var most = Math.Min(TapeStage.Most(Architectures.Open(settings.Model)), RunSettings.MostStages);
        return stages <= most ? null
            : $"run.stages = {stages}: this model can be cut into {most} stages at most; use run.stages = {most} or fewer";
    }

    /// <summary>The plan of a replica in so many stages.</summary>
    /// <param name="threads">Threads of each node's device.</param>
    /// <exception cref="ElasticException">The network cannot be computed so.</exception>
    public static StagePlan Of(TrainingSettings settings, int stages, int threads)
    {
        if (Problem(settings, stages) is { } problem)
            throw new ElasticException(problem);
        var whole = TrainingPlan.OfReplica(settings, stages, threads, split: new ReplicaSplit(1, stages));
        var (architecture, optimizer) = (Architectures.Open(settings.Model), Optimizers.Open(settings.Optimizer));
        var layout = new FlatLayout(architecture.Parameters);
        var (parameters, precision) = (
            new StageParameters(architecture, layout, stages), Precision.Of(settings.Run.Precision, architecture, optimizer));
        var passes = PassPlan.OfStages(
            architecture, new BatchShape(whole.Together, settings.Batch.Micro, settings.SampleTokens), threads, settings.Batch.Recompute,
            precision, stages, whole.Units);
        // As many sums of gradients at a time as the stages of one node's pipeline keep.
        var sums = whole.Vectors.GradientBytes * whole.InUse.Devices / (layout.TrainedLength * sizeof(float));
        return new StagePlan(
            [.. passes.Select((pass, stage) => BytesOf(stage) + whole.UpdateBytes + whole.EmbeddingBytes + pass.Bytes)],
            passes.Select((pass, stage) => pass.CutBytesOfMicroBatch * settings.Batch.MicroBatches + sizeof(float)
                * parameters.Copies.Where(c => c.Owner == stage).Sum(c => (double)c.Parameter.Count)).Max(),
            PipelineSchedule.Bubble(stages, whole.Units, 1))
        {
            CutBytesOfMicroBatch = [.. passes.Select(p => p.CutBytesOfMicroBatch)],
        };

        double BytesOf(int stage)
        {
            var (held, owned) = (parameters.HeldBy(stage).Sum(s => (double)s.Count), parameters.OwnedBy(stage).Sum(s => (double)s.Count));
            return sizeof(float) * (held * (precision.IsNarrow ? 1.5 : 1) + owned * (optimizer.Vectors.Count + sums));
        }
    }

    /// <summary>Null where a node has room for what it computes of a run: a replica, or the largest stage of one.</summary>
    /// <param name="plan">The plan of a node that computes whole replicas.</param>
    /// <param name="freeBytes">What the process may still take.</param>
    /// <exception cref="ElasticException">The network cannot be cut into so many stages.</exception>
    public static string? Problem(TrainingPlan plan, double freeBytes)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return plan.Settings.Run.Stages is > 1 and var stages
            ? Of(plan.Settings, stages, plan.Threads[0]).Problem(freeBytes) : plan.Problem(freeBytes);
    }

    /// <summary>Null where each node has room for its stage; otherwise a sentence with the remedy.</summary>
    /// <param name="freeBytes">What the process of a node may still take.</param>
    public string? Problem(double freeBytes) => MostBytes <= freeBytes ? null
        : $"stage {Bytes.ToList().IndexOf(MostBytes)} of {Stages} needs {ByteSize.Text(MostBytes)} of memory, and "
            + $"{ByteSize.Text(freeBytes)} are free: use more run.stages, a smaller batch.micro or corpus.sample-tokens, or free some "
            + "memory";

    /// <summary>Powers of two of stages, and what the run says, as far as the network has them; none where it is not computed so.</summary>
    /// <inheritdoc cref="Of" path="/param"/>
    public static IReadOnlyList<StagePlan> All(TrainingSettings settings, int threads)
    {
        ArgumentNullException.ThrowIfNull(settings);
        const int doublings = 6;
        var asked = settings.Run.Stages;
        // What is asked for and cannot be is refused elsewhere.
        return (settings with { Run = settings.Run with { Stages = 2 } }).Problems().Any() ? []
            : [.. Enumerable.Range(1, doublings).Select(d => 1 << d).Append(asked).Where(s => s > 1 && Problem(settings, s) is null)
                .Distinct().Order().Select(s => Of(settings, s, threads))];
    }
}
