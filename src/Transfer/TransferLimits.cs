using Elastic.Foundation;

namespace Elastic.Transfer;

/// <summary>How many downloads run at once, and how long they wait. The defaults suit a cluster; tests shorten the times.</summary>
public sealed record TransferLimits
{
    /// <summary>Transfers at once from one peer: enough to fill a link, few enough that a peer still computes.</summary>
    public int PerPeer { get; init; } = 4;

    /// <summary>Transfers at once in this process.</summary>
    public int Total { get; init; } = 8;

    /// <summary>A peer that does not accept a connection in this time has failed.</summary>
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>A peer that sends no byte for this time has failed.</summary>
    public TimeSpan Stall { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A peer that is no longer listed has failed when it sends no byte for this time.</summary>
    public TimeSpan StallAfterLeaving { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long to keep asking peers after none of them had the blob: the list may change soon.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>How long a peer is asked last after a failure; longer with each further failure.</summary>
    public Backoff PutAway { get; init; } = new(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(30)) { Jitter = 0.25 };

    /// <summary>
    /// How long a peer is not asked at all after it sent wrong bytes. All bytes are verified, so this saves time only; and a peer whose
    /// disk was damaged may soon be the only one that has what was computed again.
    /// </summary>
    public TimeSpan Distrust { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a 404 counts against a peer for the rest of its set. Short: nodes get blobs all the time.</summary>
    public TimeSpan Lacking { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Transfers of one blob that may break off after some bytes before the download fails.</summary>
    public int Interruptions { get; init; } = 50;
}
