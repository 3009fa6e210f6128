namespace Elastic.Corpus;

/// <summary>Finds the longest token that a text of bytes begins with: a tree of the tokens' bytes. Immutable.</summary>
internal sealed class LongestToken
{
    private const int None = -1;

    // Of a place in the table, and of a token's number; three of them are the rest of 64 bits.
    private const int Bits = 20, Most = 1 << Bits;

    // The first two bytes at once: few words are told apart by less, and a table is faster than two steps.
    private readonly (int Place, int Token)[] _ofTwo = new (int, int)[1 << 16];
    private readonly int[] _ofOne = new int[256];

    // A node is the place of its bytes: what follows a byte stands at place + byte, where the place of its node is, too, so that nodes lie
    // into each other's gaps (a double array: Aoe 1989). The node behind (0 for none), and the token that ends there. Nodes with the most
    // bytes come first, so that those which most text goes through lie side by side.
    private readonly ulong[] _next;

    /// <param name="tokens">By number; each single byte is one.</param>
    public LongestToken(IReadOnlyList<byte[]> tokens)
    {
        if (tokens.Count >= Most)
            throw new ArgumentException($"{tokens.Count} tokens are more than {Most - 1}", nameof(tokens));
        foreach (var (token, bytes) in tokens.Index())
            if (bytes.Length == 1)
                _ofOne[bytes[0]] = token;
        var roots = new Node?[1 << 16];
        foreach (var (token, bytes) in tokens.Index())
            if (bytes.Length > 1)
                (roots[bytes[0] << 8 | bytes[1]] ??= new Node()).Find(bytes.AsSpan(2)).Token = token;
        List<Node> all = [.. roots.OfType<Node>().SelectMany(n => n.All).Where(n => n.Next.Count > 0)];
        _next = Places(all.OrderByDescending(n => n.Next.Count));
        foreach (var node in all)
            foreach (var (next, child) in node.Next)
                _next[node.Place + next] = (ulong)node.Place << 2 * Bits | (ulong)(uint)child.Place << Bits | (uint)(child.Token + 1);
        for (var two = 0; two < _ofTwo.Length; two++)
            _ofTwo[two] = (roots[two]?.Place ?? 0, roots[two] is { Token: not None and var token } ? token : _ofOne[two >> 8]);
    }

    /// <summary>The token; -1 for no bytes.</summary>
    public int Of(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 2)
            return bytes.Length == 0 ? None : _ofOne[bytes[0]];
        var (place, longest) = _ofTwo[bytes[0] << 8 | bytes[1]];
        for (var i = 2; place != 0 && i < bytes.Length; i++)
        {
            var next = _next[place + bytes[i]];
            if (next >> 2 * Bits != (uint)place)
                break;
            place = (int)(next >> Bits) & (Most - 1);
            if (next % Most is var token and > 0)
                longest = (int)token - 1;
        }
        return longest;
    }

    // Gives each node a place of its own at which none of its bytes meets another node's, and makes the table. Looks among the last gaps
    // only, so that the time does not grow with the square of the nodes.
    private static ulong[] Places(IEnumerable<Node> nodes)
    {
        const int Looks = 64, Farthest = 1 << 14;
        var (taken, places, first, end) = (new bool[Most + 256], new HashSet<int>(), 1, 1);
        foreach (var node in nodes)
        {
            int[] bytes = [.. node.Next.Keys.Select(b => (int)b).Order()];
            first = Math.Max(first, end - Farthest);
            while (taken[first])
                first++;
            var (gap, looks) = (first, 0);
            while (true)
            {
                var place = looks < Looks ? gap - bytes[0] : end;
                if (place > 0 && !places.Contains(place) && !Array.Exists(bytes, b => taken[place + b]))
                {
                    node.Place = place;
                    break;
                }
                if (looks++ >= Looks)
                    end++;
                do
                    gap++;
                while (taken[gap]);
            }
            places.Add(node.Place);
            foreach (var next in bytes)
                taken[node.Place + next] = true;
            end = Math.Max(end, node.Place + bytes[^1] + 1);
            if (end >= Most)
                throw new ArgumentException($"the tokens' bytes need more than {Most} places", nameof(nodes));
        }
        return new ulong[end + 256];
    }

    private sealed class Node
    {
        public Dictionary<byte, Node> Next { get; } = [];

        public int Token { get; set; } = None;

        public int Place { get; set; }

        public IEnumerable<Node> All => Next.Values.SelectMany(n => n.All).Prepend(this);

        public Node Find(ReadOnlySpan<byte> bytes)
        {
            if (bytes.IsEmpty)
                return this;
            if (!Next.TryGetValue(bytes[0], out var next))
                Next[bytes[0]] = next = new Node();
            return next.Find(bytes[1..]);
        }
    }
}
