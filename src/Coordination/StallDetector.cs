namespace Elastic.Coordination;

/// <summary>
/// Tells computations that hang from those that are slow: nodes report steps, and between two of them no slow node takes as long as a
/// hanging one.
/// </summary>
public sealed class StallDetector
{
    // A node that is suspended, or swaps, for a moment is not hanging.
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(15);

    // Twenty times what is usual is no straggler any more; stragglers have had a second runner for long.
    private const int Many = 20;

    // Before its first step a node fetches the parameters and the moments. Bytes that come are a sign of life.
    private static readonly TimeSpan BeforeFirst = TimeSpan.FromMinutes(5);

    private readonly Dictionary<InFlightWork, TimeSpan> _latest = [];
    private readonly Dictionary<InFlightWork, TimeSpan> _fetched = [];
    private readonly Timings _between = new();

    /// <summary>Notes that a computation has come further.</summary>
    public void Note(InFlightWork work, TimeSpan now)
    {
        if (_latest.TryGetValue(work, out var before))
            _between.Note(now - before);
        _latest[work] = now;
    }

    /// <summary>The time at which work that takes no steps, or not yet, was last alive: bytes came for it, or it was given.</summary>
    public TimeSpan Alive(InFlightWork work, TimeSpan given) =>
        _fetched.TryGetValue(work, out var fetched) && fetched > given ? fetched : given;

    /// <summary>Notes that bytes have come that the work needs.</summary>
    public void NoteFetched(InFlightWork work, TimeSpan now) => _fetched[work] = now;

    /// <summary>True when nothing has been heard of a computation for far longer than is usual.</summary>
    /// <param name="given">When it was given out.</param>
    public bool IsStalled(InFlightWork work, TimeSpan given, TimeSpan now) =>
        _latest.TryGetValue(work, out var latest) && latest >= given
            ? now - latest > (_between.Median is { } median && Many * median > Least ? Many * median : Least)
            : now - Alive(work, given) > BeforeFirst;

    /// <summary>Forgets all computations but these.</summary>
    public void Keep(Func<InFlightWork, bool> isInFlight)
    {
        foreach (var over in _latest.Keys.Concat(_fetched.Keys).Where(w => !isInFlight(w)).ToList())
        {
            _latest.Remove(over);
            _fetched.Remove(over);
        }
    }
}
