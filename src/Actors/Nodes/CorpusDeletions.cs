using Akka.Actor;
using Elastic.Foundation;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Nodes;

/// <summary>
/// Corpora that people delete from this node: each off the mailbox, and once for each request, however often that is repeated. Part of
/// NodeAgent: used on its mailbox only.
/// </summary>
internal sealed class CorpusDeletions(NodeContext context)
{
    // People ask one after another; a request is repeated within seconds.
    private const int MostKept = 64;

    private readonly Dictionary<string, Task<long>> _requests = [];
    private readonly Queue<string> _order = [];

    /// <summary>Deletes the corpus.</summary>
    /// <param name="link">Gets the answer.</param>
    public void Answer(NodeNews.DeleteCorpus asked, IActorRef link)
    {
        if (!_requests.TryGetValue(asked.Request, out var deletion))
        {
            _requests[asked.Request] = deletion = Task.Run(() => context.Corpora.Delete(asked.Corpus));
            _order.Enqueue(asked.Request);
            if (_order.Count > MostKept)
                _requests.Remove(_order.Dequeue());
        }

        var (node, request) = (context.Facts.Id, asked.Request);
        _ = deletion.PipeTo(
            link, success: bytes => new NodeReport.CorpusDeleted(node, request, bytes, null),
            failure: e => new NodeReport.CorpusDeleted(node, request, 0, OneLine.Of(e.GetBaseException().Message, 600)));
    }
}
