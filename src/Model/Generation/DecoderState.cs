namespace Elastic.Model.Generation;

/// <summary>
/// A text that a device continues: its tokens so far, and what the device keeps of them, so that one more token costs one row and not the
/// whole text again. It belongs to the device that made it, and to that device's thread.
/// </summary>
/// <param name="capacity">The most tokens.</param>
/// <param name="source">What an encoder-decoder answers; null for other networks.</param>
public class DecoderState(int capacity, EncodedSource? source = null) : IDisposable
{
    private readonly List<int> _tokens = [];
    private float[] _logits = [];

    /// <summary>The most tokens.</summary>
    public int Capacity { get; } = capacity;

    /// <summary>What an encoder-decoder answers; null for other networks.</summary>
    public EncodedSource? Source { get; } = source;

    /// <summary>Tokens that have been decoded.</summary>
    public IReadOnlyList<int> Tokens => _tokens;

    /// <summary>(V): the logits of the next token, from the last pass that was asked for them.</summary>
    public ReadOnlySpan<float> Logits => _logits;

    /// <summary>Begins another text in the same memory.</summary>
    public void Clear() => _tokens.Clear();

    /// <summary>Becomes the same text as another of the device's, which stays as it is.</summary>
    /// <exception cref="ArgumentException">It answers another source, is longer than this may be, or of another device.</exception>
    public void CopyFrom(DecoderState other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.GetType() != GetType() || !ReferenceEquals(other.Source, Source) || other.Tokens.Count > Capacity)
            throw new ArgumentException(
                $"a text of {other.Tokens.Count} tokens does not fit a state of {Capacity} of this source", nameof(other));
        CopyMemory(other);
        _tokens.Clear();
        _tokens.AddRange(other.Tokens);
        TakeLogits(other.Logits);
    }

    /// <summary>Copies what the device keeps of the other text's tokens.</summary>
    protected virtual void CopyMemory(DecoderState other)
    {
    }

    /// <summary>True after <see cref="Dispose()"/>.</summary>
    internal bool IsDisposed { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        IsDisposed = true;
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the device's memory.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }

    internal void Append(ReadOnlySpan<int> tokens) => _tokens.AddRange(tokens);

    internal void TakeLogits(ReadOnlySpan<float> logits)
    {
        if (_logits.Length != logits.Length)
            _logits = new float[logits.Length];
        logits.CopyTo(_logits);
    }
}

/// <summary>New tokens of a text.</summary>
/// <param name="Tokens">At least one; with those before, at most the state's capacity.</param>
/// <param name="Predicts">False where nobody asks for the logits of the next token, because more of a prompt follows.</param>
public sealed record DecoderInput(DecoderState State, ReadOnlyMemory<int> Tokens, bool Predicts = true)
{
    /// <summary>The whole text, these tokens included.</summary>
    internal int[] Text => [.. State.Tokens, .. Tokens.Span];

    /// <summary>The source's tokens; none for networks without.</summary>
    internal ReadOnlySpan<int> SourceTokens => State.Source is { } source ? source.Tokens : [];
}
