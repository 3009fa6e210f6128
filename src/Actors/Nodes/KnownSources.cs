using Elastic.Foundation;
using Elastic.Transfer;

namespace Elastic.Actors.Nodes;

/// <summary>The data planes that orders have named, newest first. Part of NodeAgent: used on its mailbox only.</summary>
internal sealed class KnownSources(Peers peers, Endpoint own)
{
    // One order may name 400 endpoints. Endpoints of earlier orders are likely to be needed again, by corpus shards for instance.
    private const int MostKnown = 512;

    private readonly LinkedList<Endpoint> _known = [];

    public void Use(IEnumerable<string> endpoints)
    {
        foreach (var endpoint in Endpoint.Among(endpoints).Where(e => e != own))
        {
            _known.Remove(endpoint);
            _known.AddFirst(endpoint);
        }

        while (_known.Count > MostKnown)
            _known.RemoveLast();
        peers.Set([.. _known]);
    }
}
