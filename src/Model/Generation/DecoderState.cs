namespace Elastic.Model.Generation;

/// <summary>
/// A text that a device continues: its tokens so far, and what the device keeps of them, so that one more token costs one row and not the
/// whole text again. It belongs to the device that made it, and to that device's thread.
/// </summary>
/// <param name="capacity">The most tokens.</param>
public class DecoderState(int capacity) : IDisposable
{
    private readonly List<int> _tokens = [];
    private float[] _logits = [];

    /// <summary>The most tokens.</summary>
    public int Capacity { get; } = capacity;

    /// <summary>Tokens that have been decoded.</summary>
    public IReadOnlyList<int> Tokens => _tokens;

    /// <summary>(V): the logits of the next token, from the last pass that was asked for them.</summary>
    public ReadOnlySpan<float> Logits => _logits;

    /// <summary>Begins another text in the same memory.</summary>
    public void Clear() => _tokens.Clear();

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
}
