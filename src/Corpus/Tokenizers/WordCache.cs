using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Elastic.Corpus;

/// <summary>
/// Remembers the tokens of short words: text repeats a few thousand of them. Each word has one slot, where it replaces any other word, so
/// that the size is fixed and no search is needed. One per thread.
/// </summary>
internal sealed class WordCache
{
    // 32 Ki slots of 24 characters and 6 tokens: 2.3 MiB.
    private const int SlotBits = 15;
    private const int MaxCharacters = 24;
    private const int MaxTokens = 6;

    private readonly char[] _characters = new char[MaxCharacters << SlotBits];
    private readonly int[] _tokens = new int[MaxTokens << SlotBits];
    private readonly byte[] _characterCounts = new byte[1 << SlotBits];
    private readonly byte[] _tokenCounts = new byte[1 << SlotBits];

    /// <summary>
    /// The word's tokens where they are known, else none; and its slot for <see cref="Store"/>, -1 where the word is too long.
    /// </summary>
    public ReadOnlySpan<int> Find(ReadOnlySpan<char> word, out int slot)
    {
        slot = -1;
        if (word.Length > MaxCharacters)
            return [];
        slot = (int)(XxHash3.HashToUInt64(MemoryMarshal.AsBytes(word)) >> (64 - SlotBits));
        return _characterCounts[slot] == word.Length && word.SequenceEqual(_characters.AsSpan(slot * MaxCharacters, word.Length))
            ? _tokens.AsSpan(slot * MaxTokens, _tokenCounts[slot])
            : [];
    }

    /// <summary>Remembers a word that <see cref="Find"/> did not know.</summary>
    public void Store(int slot, ReadOnlySpan<char> word, ReadOnlySpan<int> tokens)
    {
        if (slot < 0 || tokens.Length > MaxTokens)
            return;
        word.CopyTo(_characters.AsSpan(slot * MaxCharacters));
        tokens.CopyTo(_tokens.AsSpan(slot * MaxTokens));
        (_characterCounts[slot], _tokenCounts[slot]) = ((byte)word.Length, (byte)tokens.Length);
    }
}
