using Akka.Cluster;
using Elastic.Actors.Hosting;
using Elastic.Messages.Corpora;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Actors.Serialization;

/// <summary>Which member may say what. Everything that is not in this list is only a part of a message.</summary>
internal static class SenderRules
{
    /// <summary>Why the message is not taken from that member; null where it is.</summary>
    /// <param name="maySupervise">The supervisors may be at that member, if it is a seed.</param>
    public static string? Problem(object message, Member from, bool maySupervise) => message switch
    {
        NodeCommand or NodeNews or WorkOrder when !IsSeed(from) => "only a seed gives orders",
        RunReply or NodeReply or RunsAnswer or RunView or EvaluationView or BuildView when !IsSeed(from) => "only a seed answers that",
        NodeCommand or NodeNews or WorkOrder or RunReply or NodeReply or RunsAnswer or RunView or EvaluationView or BuildView =>
            maySupervise ? null : "an older seed supervises",
        RunRequest or NodeRequest or RunWatch or RunsQuery or JobRequest => IsSeed(from) ? null : "people ask at a seed",
        NodeReport.Enlist { Address: var address } when address != from.Address.ToEndpoint().ToString() =>
            $"it enlists the node at {address}",
        NodeReport.Enlist { Seed: true } when !from.HasRole("seed") => "it says of itself that it is a seed",
        NodeReport or WorkResult or ReadBlocks or BlocksRead or ReadSources or SourcesRead or ShardUnreadable => null,
        _ => "it is no message of its own",
    };

    private static bool IsSeed(Member member) =>
        member.HasRole("seed") && member.Status is (MemberStatus.Up or MemberStatus.Leaving or MemberStatus.Exiting);
}
