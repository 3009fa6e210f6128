namespace Elastic.Model.Training;

/// <summary>
/// What an element of work has taken of a device's time lately, in whatever work of one run: a training step, or a piece of an evaluation.
/// A hung device is found by it in a piece that is the first of its evaluation. Thread-safe.
/// </summary>
public sealed class PieceTimes
{
    // 0 before anything has ended.
    private long _ticksOfElement;

    /// <summary>The time of an element of the newest work that has ended; null before.</summary>
    public TimeSpan? OfElement => Interlocked.Read(ref _ticksOfElement) is > 0 and var ticks ? TimeSpan.FromTicks(ticks) : null;

    /// <summary>
    /// Work has ended. The newest counts alone: one that was held up, as by a machine that slept, is forgotten with the next.
    /// </summary>
    /// <param name="took">The time of all devices that were at it together.</param>
    /// <param name="elements">How much it was.</param>
    public void Note(TimeSpan took, long elements) => Interlocked.Exchange(ref _ticksOfElement, Math.Max(1, took.Ticks / elements));

    /// <summary>How much work rows of a text are: a row of few tokens costs, too.</summary>
    /// <param name="tokens">Tokens of each row.</param>
    public static int ElementsOf(int rows, int tokens) => (int)Math.Min(int.MaxValue, (long)rows * ((long)tokens + ShortRow));

    private const int ShortRow = 64;
}
