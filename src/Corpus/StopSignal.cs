namespace Elastic.Corpus;

/// <summary>
/// Looks at the word to stop within a document, which may be hundreds of MB: now and then, so that it costs nothing beside what is done
/// with each piece.
/// </summary>
public static class StopSignal
{
    // Pieces are words, lines or n-grams: a million of them take a stage some tens of milliseconds.
    private const int PiecesPerLook = 1 << 14;

    /// <summary>To be called with the number of each piece, from 0.</summary>
    /// <exception cref="OperationCanceledException">The build is to stop.</exception>
    public static void Look(int piece, CancellationToken cancel)
    {
        if ((piece & (PiecesPerLook - 1)) == 0)
            cancel.ThrowIfCancellationRequested();
    }

    /// <summary>The pieces, looked after.</summary>
    /// <inheritdoc cref="Look"/>
    public static IEnumerable<T> Watched<T>(this IEnumerable<T> pieces, CancellationToken cancel)
    {
        var number = 0;
        foreach (var piece in pieces)
        {
            Look(number++, cancel);
            yield return piece;
        }
    }
}
