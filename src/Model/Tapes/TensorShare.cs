using Elastic.Foundation;
using Elastic.Model.Batches;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tapes;

/// <summary>
/// The share of a network that one device of a tensor group computes. All ranks record the same operations, each with its share:
///
///   heads, and columns of what comes from a product whose outputs are shared: queries, keys and values, the first feed-forward layer
///   rows of a weight whose inputs are shared: the projections into the residual stream (Shoeybi et al. 2019, section 3)
///   a range of the vocabulary: the head and its loss
///   a range of the rows: norms, residual sums and dropout (Korthikanti et al. 2022, section 4.2.2)
///
/// Shared axes are cut into parts by the model (<see cref="SharedAxis"/>), of which a rank has whole ones: sums along such an axis fold
/// over the ranks as they fold over the parts, so no bit depends on the number of ranks.
/// </summary>
/// <param name="Rank">From 0.</param>
/// <param name="Ranks">Devices of the group; a power of two.</param>
public sealed record TensorShare(int Rank, int Ranks)
{
    /// <summary>The rank's range of rows; ranges differ by one row at most.</summary>
    public (int First, int Count) RowsOf(int rows) => Range(rows, 1);

    /// <summary>The rank's range of columns, which begins at a multiple of 16; it may be empty.</summary>
    public (int First, int Count) ColumnsOf(int columns) => Range(columns, FlatLayout.Alignment);

    /// <summary>The rank's share of so many things that all ranks share evenly, e.g. heads.</summary>
    /// <exception cref="ElasticException">They cannot be divided.</exception>
    public int Of(int count, string what) => count % Ranks == 0
        ? count / Ranks : throw new ElasticException($"{count} {what} cannot be divided among the {Ranks} devices of a tensor group");

    /// <summary>Parts of a shared axis that the rank has.</summary>
    /// <exception cref="ElasticException">The axis has fewer parts, or they cannot be divided.</exception>
    public int PartsOf(ParameterSpec parameter)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        var shared = parameter.Shared
            ?? throw new ElasticException($"{parameter.Name} is in no part that the devices of a tensor group could share");
        return shared.Parts % Ranks == 0 ? shared.Parts / Ranks : throw new ElasticException(
            $"{parameter.Name} has {shared.Parts} parts, which the {Ranks} devices of a tensor group cannot divide");
    }

    /// <summary>Refuses micro-batches with fewer rows, or fewer of an encoder's, than there are ranks.</summary>
    /// <param name="group">Micro-batches that are computed together; each is as long as the first.</param>
    /// <exception cref="ElasticException">There are.</exception>
    public void CheckRows(IReadOnlyList<MicroBatch> group)
    {
        var rows = group.Count * Math.Min(group[0].Inputs.Length, group[0].Sources?.Length ?? int.MaxValue);
        if (rows < Ranks)
            throw new ElasticException($"{rows} tokens cannot be divided among the {Ranks} devices of a tensor group");
    }

    private (int First, int Count) Range(int count, int unit)
    {
        long units = (count + unit - 1) / unit;
        int first = (int)Math.Min(count, units * Rank / Ranks * unit), end = (int)Math.Min(count, units * (Rank + 1) / Ranks * unit);
        return (first, end - first);
    }
}
