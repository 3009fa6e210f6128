using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Work;

namespace Elastic.Coordination;

/// <summary>
/// Decides where nodes fetch what they need: from others that hold it, and by way of seeds while nodes cannot fetch from each other.
/// </summary>
internal sealed class BlobSources(WorkerHealth health)
{
    // Enough to share the load of a popular blob; a node that needs other sources gets them with the next order.
    private const int SourcesOfASet = 3;
    private const int MostSources = Part.MostDigests;

    // How long bytes go by way of seeds after nodes could not fetch from each other: a broken link is seldom mended sooner.
    private static readonly TimeSpan RelayFor = TimeSpan.FromMinutes(10);

    private TimeSpan _relaysUntil;

    /// <summary>True while bytes go by way of seeds.</summary>
    public bool Relays(TimeSpan now) => now < _relaysUntil;

    /// <summary>Notes that a node could not fetch what another one holds.</summary>
    public void NoteUnreachable(TimeSpan now) => _relaysUntil = now + RelayFor;

    /// <summary>
    /// Data planes of nodes that hold the needed sets, at most <see cref="SourcesOfASet"/> for each, in turn; then of seeds, which are
    /// meant to stay.
    /// </summary>
    /// <param name="turn">Another one for each order, so that orders share the holders.</param>
    public string[] Of(ClusterView view, IEnumerable<Digest> needs, NodeId except, long turn) =>
    [
        .. needs.Distinct()
            .SelectMany(set => view.HoldersOf(set).Where(n => n != except).Order(view.Nodes.KeyComparer).ToList() is var holders
                ? Enumerable.Range(0, Math.Min(SourcesOfASet, holders.Count)).Select(i => holders[(int)((turn + i) % holders.Count)])
                : [])
            .Select(n => health.Of(n)?.Endpoint).OfType<string>()
            .Concat(Seeds(except)).Distinct().Take(MostSources),
    ];

    /// <summary>Data planes of seeds.</summary>
    public string[] Seeds(NodeId except) =>
        [.. health.Reports.Where(r => r.Seed && r.Node != except).Select(r => r.Endpoint)
            .Order(StringComparer.Ordinal).Take(SourcesOfASet)];
}
