using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Splits;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>What one stage has of a replica whose stages are on nodes of their own: where it lies in the replica's vectors.</summary>
internal sealed class StageShare
{
    private readonly (long First, long Count)[] _owned, _held;

    /// <param name="number">Of the stage.</param>
    /// <param name="count">Of all stages.</param>
    /// <exception cref="Foundation.ElasticException">Some parameters are frozen.</exception>
    public StageShare(IArchitecture architecture, FlatLayout layout, int number, int count)
    {
        var parameters = new StageParameters(architecture, layout, count);
        (Number, Count) = (number, count);
        (_owned, _held) = ([.. parameters.RangesOwnedBy(number)], [.. parameters.RangesHeldBy(number)]);
    }

    /// <summary>Of the stage.</summary>
    public int Number { get; }

    /// <summary>Of all stages.</summary>
    public int Count { get; }

    /// <summary>Elements of a vector that the stage has, by first element. The loss scale has each stage, all of it.</summary>
    public IReadOnlyList<(long First, long Count)> RangesOf(string vector) => vector switch
    {
        VectorSet.Parameters => _held,
        VectorSet.LossScale => [(0, VectorSet.LossScaleElements)],
        _ => _owned,
    };

    /// <summary>True for the same stage of as many.</summary>
    public bool IsSameAs(StageShare? other) => other is not null && (other.Number, other.Count) == (Number, Count);
}
