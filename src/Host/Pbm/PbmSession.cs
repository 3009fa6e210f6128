namespace Elastic.Host.Pbm;

/// <summary>What the server knows of one client: whether it has a command running, and since when not. Thread-safe.</summary>
/// <param name="from">The client's address.</param>
internal sealed class PbmSession(string from, CancellationToken serverEnded)
{
    private readonly Lock _gate = new();

    // Not disposed of: it has no timer, and the server may push a client out that just leaves.
    private readonly CancellationTokenSource _ended = CancellationTokenSource.CreateLinkedTokenSource(serverEnded);
    private long? _idleSince = System.Diagnostics.Stopwatch.GetTimestamp();

    /// <summary>The client's address.</summary>
    public string From => from;

    /// <summary>Cancelled when the server ends, or another client takes this one's place.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>The timestamp since which no command has been running; null while one is.</summary>
    public long? IdleSince
    {
        get
        {
            lock (_gate)
                return _idleSince;
        }
    }

    /// <summary>True for a client that is only told why it is not served.</summary>
    public bool IsRefused { get; init; }

    /// <summary>True once another client was to take its place.</summary>
    public bool IsPushedOut { get; private set; }

    /// <summary>Notes that a command begins.</summary>
    /// <returns>False where the client was pushed out: its connection ends.</returns>
    public bool Begin()
    {
        lock (_gate)
        {
            _idleSince = null;
            return !IsPushedOut;
        }
    }

    /// <summary>Notes that the command has ended.</summary>
    public void End()
    {
        lock (_gate)
            _idleSince = System.Diagnostics.Stopwatch.GetTimestamp();
    }

    /// <summary>Ends the session, unless a command has begun meanwhile.</summary>
    /// <returns>The session; null where it stays.</returns>
    public PbmSession? PushOut()
    {
        lock (_gate)
        {
            if (_idleSince is null)
                return null;
            IsPushedOut = true;
        }

        _ = _ended.CancelAsync();
        return this;
    }
}
