using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Splits;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>What one stage has of a replica whose stages are on nodes of their own: where it lies in the replica's vectors.</summary>
internal sealed class StageShare : IDisposable
{
    private readonly IArchitecture _architecture;
    private readonly (long First, long Count)[] _owned, _held;
    private PipelineGroup? _group;

    /// <param name="number">Number of the stage.</param>
    /// <param name="count">How many stages there are.</param>
    public StageShare(IArchitecture architecture, FlatLayout layout, int number, int count)
    {
        var parameters = new StageParameters(architecture, layout, count);
        (_architecture, Number, Count) = (architecture, number, count);
        var held = parameters.RangesHeldBy(number).ToLookup(range => range.First < layout.TrainedLength);
        (_owned, _held, Frozen) = ([.. parameters.RangesOwnedBy(number)], [.. held[true]], [.. held[false]]);
    }

    /// <summary>Number of the stage.</summary>
    public int Number { get; }

    /// <summary>How many stages there are.</summary>
    public int Count { get; }

    /// <summary>The stage's sums of gradients and activations, which it keeps from one round to the next.</summary>
    public PipelineGroup Group => _group ??= ApartStage.NewGroup(_architecture, Count);

    /// <summary>Elements of the frozen part of the parameters that the stage has, by first element.</summary>
    public IReadOnlyList<(long First, long Count)> Frozen { get; }

    /// <summary>
    /// Elements of a vector's trained part that the stage has, by first element. The loss scale has each stage, all of it.
    /// </summary>
    public IReadOnlyList<(long First, long Count)> RangesOf(string vector) => vector switch
    {
        VectorSet.Parameters => _held,
        VectorSet.LossScale => [(0, VectorSet.LossScaleElements)],
        _ => _owned,
    };

    /// <summary>Elements of a vector that take memory here: those of its trained part, and of the parameters the frozen ones.</summary>
    public IReadOnlyList<(long First, long Count)> PlacesIn(string vector) =>
        vector == VectorSet.Parameters ? [.. RangesOf(vector), .. Frozen] : RangesOf(vector);

    /// <summary>True for the same stage of as many.</summary>
    public bool IsSameAs(StageShare? other) => other is not null && (other.Number, other.Count) == (Number, Count);

    /// <inheritdoc/>
    public void Dispose() => _group?.Dispose();
}
