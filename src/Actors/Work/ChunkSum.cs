using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages.Vectors;

namespace Elastic.Actors.Work;

/// <summary>
/// The sum of a chunk of all contributions, a group after the other: what is in memory at once does not grow with the replicas, but for a
/// sum each time that they are twice as many.
/// </summary>
internal sealed class ChunkSum(NodeRun run, int chunk, int elements) : IDisposable
{
    /// <summary>Contributions that are in memory at once; a power of two, so that each group is a subtree of the sum.</summary>
    public const int Group = 8;

    private readonly List<FloatBuffer> _open = [];

    /// <summary>The sum of the chunk of these vectors, along <see cref="SumTree"/>.</summary>
    /// <param name="vectors">Of the replicas, in their order, with the sets that they are of.</param>
    public async Task<FloatBuffer> OfAsync(IReadOnlyList<(VectorManifest Vector, Digest Set)> vectors)
    {
        var sum = new RunningSum<FloatBuffer>((left, right) =>
        {
            Averaging.Add(left.Floats.Span, right.Floats.Span);
            Close(right);
            return left;
        });
        foreach (var group in vectors.Chunk(Group))
        {
            var buffers = await ReadAsync(group);
            Averaging.Sum([.. buffers.Select(b => (ReadOnlyMemory<float>)b.Floats)], buffers[0].Floats.Span);
            foreach (var added in buffers.Skip(1))
                Close(added);
            sum.Add(group.Length, buffers[0]);
        }

        return sum.End();
    }

    /// <summary>Reads the chunk of each of these vectors, all at once.</summary>
    public async Task<IReadOnlyList<FloatBuffer>> ReadAsync(IReadOnlyList<(VectorManifest Vector, Digest Set)> vectors)
    {
        var buffers = vectors.Select(_ => new FloatBuffer(elements)).ToList();
        _open.AddRange(buffers);
        var received = await Task.WhenAll(vectors.Select(
            (v, i) => run.Fetcher.ReadAsync(v.Vector.Chunks[chunk], buffers[i].Memory, v.Set, CancellationToken.None)));
        NodeMeters.Averaged(run.Id, received.Sum());
        return buffers;
    }

    public void Dispose() => _open.ToList().ForEach(Close);

    private void Close(FloatBuffer buffer)
    {
        if (_open.Remove(buffer))
            ((IDisposable)buffer).Dispose();
    }
}
