using Elastic.Messages.Settings;
using Elastic.Model.Vectors;

namespace Elastic.Bench.Mean;

/// <summary>
/// Who averages what, and how many bytes that makes each node receive, hash, sum and write. One contribution lies on each node.
/// </summary>
internal sealed class Traffic
{
    private readonly FlatLayout _layout;

    /// <param name="together">Chunks in a piece of work.</param>
    public Traffic(FlatLayout layout, int nodes, AveragingMethod method, int together)
    {
        _layout = layout;
        Nodes = nodes;
        Vectors = method == AveragingMethod.Nesterov ? 2 : 1;
        // As the supervisor deals them out: each piece to the node that has the fewest.
        Pieces = [.. Enumerable.Range(0, layout.Chunks).Chunk(together).Select((chunks, i) => (Node: i % nodes, Chunks: chunks))];
    }

    public int Nodes { get; }

    /// <summary>Vectors of a version: the parameters, and the outer momentum where there is one.</summary>
    public int Vectors { get; }

    /// <summary>The pieces of work, and the node of each.</summary>
    public IReadOnlyList<(int Node, int[] Chunks)> Pieces { get; }

    public long AllReceive => Sum(Receives);

    public long AllHash => Sum(Hashes);

    public long AllSum => Sum(Sums);

    public long AllRead => AllReceive + Sum(ReadsOwn);

    public long AllWrite => Sum(Writes);

    /// <summary>Bytes of its share in one vector.</summary>
    public long Share(int node) => 4 * Pieces.Where(p => p.Node == node).SelectMany(p => p.Chunks).Sum(c => (long)_layout.Chunk(c).Count);

    /// <summary>Bytes received: its share of the others' contributions, then what the others have made.</summary>
    public long Receives(int node) => Share(node) * (Nodes - 1) + (4 * _layout.Length - Share(node)) * Vectors;

    /// <summary>Bytes hashed: what is received, what is read of its own and what is made.</summary>
    public long Hashes(int node) => Receives(node) + ReadsOwn(node) + Share(node) * Vectors;

    /// <summary>Bytes read from its own files to sum them: its contribution, and with a momentum the version before.</summary>
    public long ReadsOwn(int node) => Share(node) * (Vectors == 2 ? 3 : 1);

    /// <summary>Bytes of the contributions that it sums.</summary>
    public long Sums(int node) => Share(node) * Nodes;

    /// <summary>Bytes written: all of the new version.</summary>
    public long Writes(int node) => 4 * _layout.Length * Vectors;

    private long Sum(Func<int, long> of) => Enumerable.Range(0, Nodes).Sum(of);
}
