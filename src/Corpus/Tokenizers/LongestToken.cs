using System.Numerics;

namespace Elastic.Corpus;

/// <summary>Finds the longest token that a text of bytes begins with: a tree of the tokens' bytes. Immutable.</summary>
internal sealed class LongestToken
{
    private const int None = -1;

    // Of a node's number, and of a token's; a node and a byte are the rest of 64 bits.
    private const int Bits = 18, Most = 1 << Bits;

    // The first two bytes at once: few words are told apart by less, and a table is faster than two steps.
    private readonly (int Node, int Token)[] _ofTwo = new (int, int)[1 << 16];
    private readonly int[] _ofOne = new int[256];

    // (node, byte) -> the node behind, and the token that ends there; by open addressing, 0 is an empty slot. All of it fits into one
    // number, so that a step touches one place.
    private readonly ulong[] _next;

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
        if (Math.Max(tokenOf.Count, tokens.Count) >= Most)
            throw new ArgumentException($"{tokens.Count} tokens are more than a tree of {Most} nodes holds", nameof(tokens));
        // Less than half full.
        _next = new ulong[BitOperations.RoundUpToPowerOf2((uint)nodes.Count * 2 + 1)];
        foreach (var (key, node) in nodes)
            _next[SlotOf(key)] = (ulong)key << 2 * Bits | (ulong)(uint)node << Bits | (uint)(tokenOf[node] + 1);
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
            node = next == 0 ? None : (int)(next >> Bits) & (Most - 1);
            if (next % Most is var token and > 0)
                longest = (int)token - 1;
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
        while (_next[at] is not 0 and var slot && slot >> 2 * Bits != key)
            at = (at + 1) & mask;
        return at;
    }
}
