using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Elastic.Corpus;

/// <summary>
/// GPT-2's byte-level BPE. Text that looks like a special token, such as "&lt;|endoftext|&gt;", is ordinary text.
/// </summary>
public sealed class Gpt2Tokenizer : Tokenizer
{
    internal const string Name = "gpt2";

    private static readonly Lazy<Gpt2Tokenizer> Shared = new(() => new Gpt2Tokenizer(Gpt2Merges.Shared));

    // There is one tokenizer, so a cache per thread is also one per tokenizer.
    [ThreadStatic]
    private static WordCache? _cacheOfThread;

    private readonly Gpt2Merges _merges;

    private Gpt2Tokenizer(Gpt2Merges merges) => _merges = merges;

    internal static Gpt2Tokenizer Instance => Shared.Value;

    /// <inheritdoc/>
    public override string Id => Name;

    /// <inheritdoc/>
    public override int VocabularySize => Gpt2Merges.Count + 1;

    /// <inheritdoc/>
    public override int EndOfText => Gpt2Merges.Count;

    /// <inheritdoc/>
    public override void Encode(string text, List<int> into, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(into);
        var cache = _cacheOfThread ??= new WordCache();
        into.EnsureCapacity(into.Count + text.Length / 4);
        var remaining = text.AsSpan();
        for (int start = 0, end, number = 0; start < text.Length; start = end)
        {
            StopSignal.Look(number++, cancel);
            end = Gpt2Words.EndOfWord(remaining, start);
            var word = remaining[start..end];
            var known = cache.Find(word, out var slot);
            if (!known.IsEmpty)
            {
                into.AddRange(known);
                continue;
            }
            var before = into.Count;
            Merge(word, into);
            cache.Store(slot, word, CollectionsMarshal.AsSpan(into)[before..]);
        }
    }

    /// <inheritdoc/>
    public override string Decode(ReadOnlySpan<int> tokens)
    {
        var bytes = new ArrayBufferWriter<byte>(tokens.Length * 4 + 1);
        foreach (var token in tokens)
            if (ByteCount(token) > 0)
                bytes.Write(_merges.BytesOf(token));
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <inheritdoc/>
    public override int ByteCount(int token)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(token);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(token, EndOfText);
        return token == EndOfText ? 0 : _merges.BytesOf(token).Length;
    }

    private void Merge(ReadOnlySpan<char> word, List<int> into)
    {
        const int OnStack = 512;
        var size = Encoding.UTF8.GetMaxByteCount(word.Length);
        var rented = size > OnStack ? ArrayPool<byte>.Shared.Rent(size) : null;
        var bytes = rented ?? stackalloc byte[OnStack];
        _merges.Encode(bytes[..Encoding.UTF8.GetBytes(word, bytes)], into);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
    }
}
