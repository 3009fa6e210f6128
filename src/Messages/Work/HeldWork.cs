using Elastic.Foundation;

namespace Elastic.Messages.Work;

/// <summary>A piece of work that a node reports as given to it and not acknowledged yet.</summary>
/// <param name="From">The version that it starts from; null before there is one.</param>
/// <param name="Attempt">Tells apart the times that a replica is given out, where several nodes compute it together; else null.</param>
public readonly record struct HeldWork(JobId Job, OrderId Order, WorkKey Key, Digest? From, string? Attempt = null);

/// <summary>
/// Such pieces of one job that start from one version, as a heartbeat names them: a node that sums a large model alone holds a thousand.
/// </summary>
public sealed record HeldWorks(JobId Job, Digest? From, HeldOrder[] Orders) : IWireMessage
{
    /// <summary>The pieces, by job and version.</summary>
    public static HeldWorks[] Of(IEnumerable<HeldWork> works) =>
    [
        .. works.GroupBy(w => (w.Job, w.From))
            .Select(g => new HeldWorks(g.Key.Job, g.Key.From, [.. g.Select(w => new HeldOrder(w.Order, w.Key, w.Attempt))])),
    ];

    /// <summary>The pieces, one by one.</summary>
    public IEnumerable<HeldWork> Pieces() => Orders.Select(o => new HeldWork(Job, o.Order, o.Key, From, o.Attempt));
}

/// <summary>An order that a node holds.</summary>
/// <inheritdoc cref="HeldWork"/>
public readonly record struct HeldOrder(OrderId Order, WorkKey Key, string? Attempt = null) : IWireMessage;
