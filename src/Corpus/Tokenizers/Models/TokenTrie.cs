namespace Elastic.Corpus;

/// <summary>The tokens of a vocabulary as a tree of their characters: all that a text begins with are found in one walk.</summary>
internal sealed class TokenTrie
{
    public const int Root = 0, None = -1;

    // (node, character) -> next node, and the token that ends there or None.
    private readonly PairTable _next;

    public TokenTrie(IReadOnlyList<KeyValuePair<string, int>> tokens)
    {
        _next = new PairTable(checked((int)tokens.Sum(t => (long)t.Key.Length)));
        var nodes = 1;
        foreach (var (text, token) in tokens)
        {
            var node = Root;
            for (var i = 0; i < text.Length; i++)
            {
                var known = _next.Find(node, text[i]);
                var next = known?.First ?? nodes++;
                if (known is null || i == text.Length - 1)
                    _next.Set(node, text[i], (next, i == text.Length - 1 ? token : None));
                node = next;
            }
        }
    }

    /// <summary>The node behind a character, and the token that ends there; null where no token goes on with it.</summary>
    public (int Node, int Token)? Next(int node, char character) => _next.Find(node, character);
}
