using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Hosting;

/// <summary>
/// Spreads the list of revoked certificates by the heartbeats that there are: each says the number of the list that a node has, each
/// answer the seed's, and whoever has the newer list sends it. The authority's signature makes it authentic, whoever sends it. Does
/// nothing in a process without certificates.
/// </summary>
/// <param name="say">Tells the person at this process what happens.</param>
internal sealed class CertificateExchange(Credentials? credentials, Action<string> say)
{
    private string? _problem;

    /// <summary>The node's heartbeat, with what the supervising seed is to know of its certificate.</summary>
    public NodeReport.Enlist Complete(NodeReport.Enlist report) => credentials is null ? report : report with
    {
        Revocations = credentials.Revocations.Number,
        CertificateExpires = credentials.Expires.ToUnixTimeSeconds(),
    };

    /// <summary>The seed's answer to a heartbeat, with the list where the node's is older.</summary>
    public NodeNews.Welcome Complete(NodeNews.Welcome welcome, NodeReport.Enlist report) => credentials is null ? welcome : welcome with
    {
        Revocations = credentials.Revocations.Number,
        Revoked = report.Revocations < credentials.Revocations.Number ? credentials.SignedRevocations : null,
    };

    /// <summary>Takes the list that came with an answer.</summary>
    /// <returns>This node's list where the seed's is older; else null.</returns>
    public NodeReport.Revoked? Receive(NodeNews.Welcome welcome, NodeId self)
    {
        if (welcome.Revoked is { } list)
            Take(list);
        return credentials?.SignedRevocations is { } mine && welcome.Revocations < credentials.Revocations.Number
            ? new NodeReport.Revoked(self, mine)
            : null;
    }

    /// <summary>Takes a list, if it is newer than the one that is here.</summary>
    public void Take(string list)
    {
        if (credentials is null)
            return;
        var before = credentials.Revocations.Number;
        string? problem = null;
        try
        {
            credentials.Take(list);
        }
        catch (Exception e) when (e is ElasticException or IOException or UnauthorizedAccessException)
        {
            problem = $"a list of revoked certificates cannot be kept, so that they still count here: {e.Message}";
        }

        // It comes again with each heartbeat.
        if (problem is not null && problem != _problem)
            say(problem);
        _problem = problem;
        if (credentials.Revocations.Number > before)
            say($"list {credentials.Revocations.Number} of revoked certificates has come: {credentials.Revocations.Revoked.Count} "
                + "count no more, and connections to their holders are closed");
    }
}
