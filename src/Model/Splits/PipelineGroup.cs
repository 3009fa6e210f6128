using Elastic.Foundation;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Splits;

/// <summary>
/// What the devices of one pipeline share: the stages, each of which reads its neighbours' results where they lie, and sums of gradients,
/// of which each stage writes its own parameters. The sums are whole gradients together, as one device has them, and fold along the same
/// tree. The garbage collector frees them: as those of a device that ends, others may still read them. Several devices can share each
/// stage's layers: its ranks.
/// </summary>
/// <param name="count">Number of stages.</param>
/// <param name="tensor">Ranks of each stage, a power of two; 1 where a stage is one device.</param>
/// <param name="chunks">
/// Pieces of the network that the devices of a stage have: they do the work of as many stages, those whose numbers have the same remainder.
/// </param>
public sealed class PipelineGroup(IArchitecture architecture, int count, int tensor = 1, int chunks = 1) : IDisposable
{
    private readonly PipelineStage?[,] _stages = new PipelineStage?[count * chunks, tensor];
    private readonly List<DeviceVector> _sums = [];

    /// <summary>What each piece of the network computes: each stage has its own, and with several chunks each is a stage here.</summary>
    public IReadOnlyList<TapeStage> Stages { get; } = TapeStage.Cut(architecture, count * chunks, tensor);

    /// <summary>Stages that have devices of their own.</summary>
    public int Count => count;

    /// <summary>Pieces of each of those.</summary>
    public int Chunks => chunks;

    /// <summary>Ranks of each stage.</summary>
    public int Tensor => tensor;

    /// <summary>
    /// True while the stages are at work, and for good where that has failed: a stage may still read what another has made, so that nobody
    /// uses or frees their memory.
    /// </summary>
    public bool IsAtWork { get; set; }

    /// <summary>
    /// True where each stage is in a process of its own: it reads what the stages before and behind have made from
    /// <see cref="PipelineStage.Received"/>, and has memory for its own part of vectors of the whole network.
    /// </summary>
    public bool IsApart { get; init; }

    /// <summary>A rank of a stage.</summary>
    public PipelineStage this[int stage, int rank = 0]
    {
        get => _stages[stage, rank] ?? throw new InvalidOperationException($"rank {rank} of stage {stage} of {Stages.Count} is not open");
        set => _stages[stage, rank] = value;
    }

    /// <summary>The units that a piece keeps activations of, at most.</summary>
    public int InFlight(int stage) => PipelineSchedule.InFlight(stage % count, count, chunks, stage / count);

    /// <summary>True where this is the stage's group, and the stage is this one.</summary>
    public bool Holds(PipelineStage? stage, int number, int rank) =>
        stage is not null && ReferenceEquals(_stages[number, rank], stage);

    /// <summary>The sums over all micro-batches of the pass, in their order.</summary>
    public IReadOnlyList<SubtreeRoot> Roots
    {
        get
        {
            var (all, last) = (this[0].TakeRoots(), Stages.Count - 1);
            var scattered = Enumerable.Range(0, last + 1).First(i => this[i].HasRows || i == last);
            foreach (var stage in _stages)
                Invariant.Holds(
                    stage!.TakeRoots().Select(r => (r.Node, r.Gradient)).SequenceEqual(all.Select(r => (r.Node, r.Gradient))),
                    "all stages sum the same micro-batches in the same vectors");
            return [.. all.Zip(this[scattered].TakeRoots(), (r, s) => r with { Scattered = s.Scattered })];
        }
    }

    /// <summary>Frees the sums, where no stage is at work or will be: else the garbage collector does.</summary>
    public void Dispose()
    {
        lock (_sums)
            _sums.ForEach(s => s.Dispose());
    }

    /// <summary>The sum of this number: the first rank of each stage asks for them in the same order.</summary>
    /// <param name="allocate">Makes a vector of zeros.</param>
    public DeviceVector Sum(int number, Func<DeviceVector> allocate)
    {
        ArgumentNullException.ThrowIfNull(allocate);
        lock (_sums)
        {
            if (number == _sums.Count)
                _sums.Add(allocate());
            return _sums[number];
        }
    }
}
