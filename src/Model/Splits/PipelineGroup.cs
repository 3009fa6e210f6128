using Elastic.Foundation;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Splits;

/// <summary>
/// What the devices of one pipeline share: the stages, each of which reads its neighbours' results where they lie, and sums of gradients,
/// of which each stage writes its own parameters. The sums are whole gradients together, as one device has them, and fold along the same
/// tree. The garbage collector frees them: as those of a device that ends, others may still read them.
/// </summary>
public sealed class PipelineGroup(IArchitecture architecture, int count)
{
    private readonly PipelineStage?[] _stages = new PipelineStage?[count];
    private readonly List<DeviceVector> _sums = [];

    /// <summary>What each stage computes.</summary>
    public IReadOnlyList<TapeStage> Stages { get; } = TapeStage.Cut(architecture, count);

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

    /// <summary>A stage.</summary>
    public PipelineStage this[int stage]
    {
        get => _stages[stage] ?? throw new InvalidOperationException($"stage {stage} of {_stages.Length} is not open");
        set => _stages[stage] = value;
    }

    /// <summary>True where this is the stage's group, and the stage is this one.</summary>
    public bool Holds(PipelineStage? stage, int number) => stage is not null && ReferenceEquals(_stages[number], stage);

    /// <summary>The sums over all micro-batches of the pass, in their order.</summary>
    public IReadOnlyList<SubtreeRoot> Roots
    {
        get
        {
            var (all, scattered) = (this[0].OwnRoots, Enumerable.Range(0, count).First(i => this[i].HasRows || i == count - 1));
            foreach (var stage in _stages)
                Invariant.Holds(
                    stage!.OwnRoots.Select(r => (r.Node, r.Gradient)).SequenceEqual(all.Select(r => (r.Node, r.Gradient))),
                    "all stages sum the same micro-batches in the same vectors");
            return [.. all.Zip(this[scattered].OwnRoots, (r, s) => r with { Scattered = s.Scattered })];
        }
    }

    /// <summary>The sum of this number: each stage asks for them in the same order.</summary>
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
