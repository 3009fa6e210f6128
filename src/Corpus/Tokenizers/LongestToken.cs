using System.Numerics;

namespace Elastic.Corpus;

/// <summary>Finds the longest token that a text of bytes begins with: a tree of the tokens' bytes. Immutable.</summary>
internal sealed class LongestToken
{
    private const int None = -1;

    // The first two bytes at once: few words are told apart by less, and a table is faster than two steps.
    private readonly (int Node, int Token)[] _ofTwo = new (int, int)[1 << 16];
    private readonly int[] _ofOne = new int[256];

    // (node, byte) + 1 -> the node behind, by open addressing; 0 marks an empty slot. And the token that ends at a node.
    private readonly (uint Key, int Node)[] _next;
    private readonly int[] _tokenOf;

    /// <param name="tokens">By number; each single byte is one.</param>
    public LongestToken(IReadOnlyList<byte[]> tokens)
    {
        foreach (var (token, bytes) in tokens.Index())
            if (bytes.Length == 1)
                _ofOne[bytes[0]] = token;
        for (var two = 0; two < _ofTwo.Length; two++)
            _ofTwo[two] = (None, _ofOne[two >> 8]);
        var (nodes, tokenOf) = (new Dictionary<uint, int>(), new List<int>());
        foreach (var (token, bytes) in tokens.Index())
            if (bytes.Length > 1)
                Add(bytes, token, nodes, tokenOf);
        _tokenOf = [.. tokenOf];
        // Less than half full.
        _next = new (uint, int)[BitOperations.RoundUpToPowerOf2((uint)nodes.Count * 2 + 1)];
        foreach (var (key, node) in nodes)
            _next[SlotOf(key)] = (key, node);
    }

    /// <summary>The token; -1 for no bytes.</summary>
    public int Of(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 2)
            return bytes.Length == 0 ? None : _ofOne[bytes[0]];
        var (node, longest) = _ofTwo[bytes[0] << 8 | bytes[1]];
        for (var i = 2; node != None && i < bytes.Length; i++)
        {
            var next = _next[SlotOf(Key(node, bytes[i]))];
            node = next.Key == 0 ? None : next.Node;
            if (node != None && _tokenOf[node] is var token and not None)
                longest = token;
        }
        return longest;
    }

    private void Add(byte[] bytes, int token, Dictionary<uint, int> nodes, List<int> tokenOf)
    {
        int NewNode()
        {
            tokenOf.Add(None);
            return tokenOf.Count - 1;
        }
        ref var two = ref _ofTwo[bytes[0] << 8 | bytes[1]];
        if (two.Node == None)
            two.Node = NewNode();
        if (bytes.Length == 2)
            two.Token = token;
        var node = two.Node;
        foreach (var next in bytes.AsSpan(2))
        {
            if (!nodes.TryGetValue(Key(node, next), out var behind))
                nodes[Key(node, next)] = behind = NewNode();
            node = behind;
        }
        tokenOf[node] = token;
    }

    // Never 0.
    private static uint Key(int node, byte next) => ((uint)node << 8 | next) + 1;

    private int SlotOf(uint key)
    {
        var mask = _next.Length - 1;
        var at = (int)(key * 0x9E3779B1u >> 8) & mask;
        while (_next[at].Key != 0 && _next[at].Key != key)
            at = (at + 1) & mask;
        return at;
    }
}
