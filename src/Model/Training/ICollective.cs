using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// The joint operations of a replica's devices, its ranks. Their number never changes a result: sums go along the tree. It belongs to one
/// list of devices: where devices come or go, there is a new one. Operations are called one after another. One that fails ends the
/// collective: memory may be half written, and each later call is refused.
///
/// tests/Model (CollectiveContract) is the contract for every implementation.
/// </summary>
public interface ICollective
{
    /// <summary>
    /// Sums gradients: each device gets its slice of the sum over all micro-batches, in tree order, into its own gradient. What is not
    /// finite stays so, and reaches no other element.
    /// </summary>
    /// <param name="roots">For each rank its roots, in the order of the micro-batches; none for a rank that had no micro-batch.</param>
    /// <param name="microBatches">All of the step: the roots cover each once.</param>
    /// <param name="slices">One for each rank; together they are the vector.</param>
    /// <param name="deadline">The time that all ranks may take together.</param>
    /// <returns>Sums of squares of all tiles, in tile order.</returns>
    /// <exception cref="ArgumentException">Ranks differ in size, or bring other micro-batches; names them. Nothing was written.</exception>
    /// <exception cref="DeviceFailedException">A rank failed, or did not end in time.</exception>
    /// <exception cref="OperationCanceledException">The collective was aborted, or has failed before.</exception>
    Task<IReadOnlyList<double>> ReduceScatterAsync(
        IReadOnlyList<IReadOnlyList<SubtreeRoot>> roots, int microBatches, IReadOnlyList<Slice> slices, TimeSpan deadline);

    /// <summary>
    /// Sums a bucket of gradients (ZeRO-2): each device adds its slice of all ranks' buckets, in tree order, to what it has of the
    /// micro-batches before. All buckets of a turn are reduced, one after another, before those of the next turn.
    /// </summary>
    /// <param name="buckets">
    /// One bucket of each of the first ranks, in the order of the micro-batches, which follow those of the turn before; no rank need have
    /// one in the last turn.
    /// </param>
    /// <inheritdoc cref="ReduceScatterAsync" path="/exception"/>
    Task ReduceBucketAsync(IReadOnlyList<PassBucket> buckets, TimeSpan deadline);

    /// <summary>Gives every device all slices of the parameters.</summary>
    /// <inheritdoc cref="ReduceScatterAsync" path="/exception"/>
    Task AllGatherAsync(IReadOnlyList<Slice> slices, TimeSpan deadline);

    /// <summary>Ends what is under way, and each later call, with this reason. Does not wait for a device.</summary>
    void Abort(string why);
}
