using System.Diagnostics;
using Akka.Actor;
using Elastic.Foundation;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Runs;

/// <summary>What people ask of nodes, until the nodes have answered. Used on the mailbox of RunsActor only.</summary>
internal sealed class NodeRequests(NodeTable nodes)
{
    // People ask one after another; who has waited too long has been told, and asks again.
    private const int MostWaiting = 64;

    private readonly List<(string Request, string Address, IActorRef Asker)> _waiting = [];

    /// <summary>Whether a refusal says that the node is not there.</summary>
    public static bool IsAbsence(string why, string node) => why.StartsWith(AbsenceOf(node), StringComparison.Ordinal);

    private static string AbsenceOf(string node) => $"there is no node {node} now: ";

    public void Ask(NodeRequest request, IActorRef asker)
    {
        var name = Endpoint.Normalized(request.Node);
        var (report, link) = nodes.Enlisted.FirstOrDefault(n => n.Report.Address == name || n.Report.Node.Value == name);
        if (report is null)
        {
            var known = nodes.Enlisted.Select(n => n.Report.Address).Order(StringComparer.Ordinal).ToList();
            asker.Tell(new NodeReply.Refused(
                AbsenceOf(request.Node)
                + (known.Count > 0 ? $"{EditDistance.Suggest(request.Node, known)}; " : "") + "see pbm node list"));
            return;
        }

        _waiting.RemoveAll(w => w.Request == request.Origin.Id);
        if (_waiting.Count >= MostWaiting)
            _waiting.RemoveAt(0);
        _waiting.Add((request.Origin.Id, report.Address, asker));
        link.Tell(request switch
        {
            NodeRequest.UseDevices use => new NodeNews.UseDevices(use.Origin.Id, use.Devices),
            NodeRequest.Drain drain => new NodeNews.Drain(drain.Origin.Id, drain.Undo),
            NodeRequest.ListFiles list => new NodeNews.ListFiles(list.Origin.Id, list.Path, list.List),
            NodeRequest.DeleteCorpus delete => new NodeNews.DeleteCorpus(delete.Origin.Id, delete.Corpus),
            NodeRequest.ShowThreads show => (NodeNews)new NodeNews.ShowThreads(show.Origin.Id),
            _ => throw new UnreachableException($"no node is told of {request}"),
        });
    }

    /// <summary>Passes a node's answer on to who has asked; false where the report is none.</summary>
    public bool Answer(NodeReport report)
    {
        switch (report)
        {
            case NodeReport.DevicesUsed used:
                Answer(used.Request, address => new NodeReply.HasDevices(address, used.Devices, used.Notice));
                return true;
            case NodeReport.DevicesRefused refused:
                Answer(refused.Request, address => new NodeReply.Refused($"node {address}: {refused.Why}"));
                return true;
            case NodeReport.DrainChanged drains:
                Answer(drains.Request, address => new NodeReply.Drains(address, drains.IsDraining));
                return true;
            case NodeReport.ThreadsShown shown:
                Answer(shown.Request, address => new NodeReply.Threads(address, shown.Process, shown.Lines, shown.Views));
                return true;
            case NodeReport.FilesListed listed:
                Answer(listed.Request, address => listed.Why is { } why ? new NodeReply.Refused($"node {address}: {why}")
                    : new NodeReply.Files(listed.Listing, listed.Endpoint));
                return true;
            case NodeReport.CorpusDeleted deleted:
                Answer(deleted.Request, address => deleted.Why is { } why ? new NodeReply.Refused($"node {address}: {why}")
                    : new NodeReply.CorpusDeleted(address, deleted.Bytes));
                return true;
            default:
                return false;
        }
    }

    private void Answer(string request, Func<string, NodeReply> reply)
    {
        foreach (var (_, address, asker) in _waiting.Where(w => w.Request == request))
            asker.Tell(reply(address));
        _waiting.RemoveAll(w => w.Request == request);
    }
}
