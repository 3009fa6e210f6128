namespace Elastic.Corpus.Build.Duplicates;

/// <summary>
/// Groups documents that are connected by pairs of similar ones, whatever the similarity of the others of the group. Holds the documents
/// that are in any pair.
/// </summary>
internal sealed class Components
{
    private readonly Dictionary<long, long> _parents = [];
    private readonly List<(long A, long B, double Similarity)> _edges = [];

    /// <summary>True where the two are of one group already.</summary>
    public bool AreConnected(long a, long b) => RootOf(a) == RootOf(b);

    /// <summary>Makes one group of those of the two, which are not of one yet.</summary>
    public void Connect(long a, long b, double similarity)
    {
        var (first, second) = (RootOf(a), RootOf(b));
        // The first document in key order is the root.
        _parents[Math.Max(first, second)] = Math.Min(first, second);
        _parents.TryAdd(Math.Min(first, second), Math.Min(first, second));
        _edges.Add((a, b, similarity));
    }

    /// <summary>
    /// All documents but the first of each group, and for each the neighbour on its way to the first one: the edges form a tree, because
    /// no pair was added within a group.
    /// </summary>
    /// <param name="cancel">Looked at with each of them.</param>
    public IEnumerable<Removal> Removals(CancellationToken cancel)
    {
        var neighbours = new Dictionary<long, List<(long Other, double Similarity)>>();
        foreach (var (a, b, similarity) in _edges)
        {
            cancel.ThrowIfCancellationRequested();
            Of(a).Add((b, similarity));
            Of(b).Add((a, similarity));
        }
        foreach (var root in _parents.Keys.Where(n => RootOf(n) == n).Order())
        {
            var reached = new Queue<(long Number, long From)>([(root, -1)]);
            while (reached.TryDequeue(out var next))
            {
                foreach (var (other, similarity) in neighbours[next.Number].Where(n => n.Other != next.From).OrderBy(n => n.Other))
                {
                    cancel.ThrowIfCancellationRequested();
                    yield return new Removal(other, next.Number, similarity) { StandIn = root };
                    reached.Enqueue((other, next.Number));
                }
            }
        }

        List<(long, double)> Of(long number) => neighbours.TryGetValue(number, out var known) ? known : neighbours[number] = [];
    }

    private long RootOf(long number)
    {
        var root = number;
        while (_parents.TryGetValue(root, out var parent) && parent != root)
            root = parent;
        // The way is shorter the next time.
        while (_parents.TryGetValue(number, out var parent) && parent != root)
        {
            _parents[number] = root;
            number = parent;
        }
        return root;
    }
}
