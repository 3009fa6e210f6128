namespace Elastic.Model.Generation;

/// <summary>
/// A source that an encoder-decoder answers, and what a device keeps of it, so that all answers share one pass of the encoder. It belongs
/// to the device that made it, to that device's thread, and to the parameters of that moment.
/// </summary>
public class EncodedSource(ReadOnlySpan<int> tokens) : IDisposable
{
    private readonly int[] _tokens = tokens.ToArray();

    /// <summary>The source.</summary>
    public ReadOnlySpan<int> Tokens => _tokens;

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
}
