namespace Elastic.Model.Training;

/// <summary>
/// The threads of CPU devices that compute a replica together. A micro-batch is one device's. Where there are fewer micro-batches in a step
/// than devices, the devices without one lend their threads to the others, which divide the heads and the blocks of queries of one
/// sequence's attention among them, the tiles of products, and the rows of everything else. No bit depends on the number of threads.
/// </summary>
public static class LentThreads
{
    /// <summary>The threads of each device that computes, as even as can be; no more devices than micro-batches.</summary>
    /// <param name="devices">All devices of the replica.</param>
    /// <param name="threads">Threads of each device by itself.</param>
    /// <param name="microBatches">Micro-batches of a step.</param>
    public static IReadOnlyList<int> Of(int devices, int threads, int microBatches)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(devices, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(microBatches, 1);
        var (computing, all) = (Math.Min(devices, microBatches), (long)devices * threads);
        return [.. Enumerable.Range(0, computing).Select(rank => (int)(all / computing + (rank < all % computing ? 1 : 0)))];
    }
}
