using Akka.Actor;
using Akka.Cluster.Sharding;
using Elastic.Messages;
using Elastic.Messages.Corpora;

namespace Elastic.Actors.Corpora;

/// <summary>The cluster's shard readers: one entity per corpus shard, on the node that Akka chooses.</summary>
internal static class ShardRegions
{
    private const string TypeName = "shard-reader";

    /// <summary>Starts this node's part of the region. ("Shard" here is a corpus shard; in Akka, a shard is a part of a region.)</summary>
    public static IActorRef Start(ActorSystem system, CorpusFiles files) => ClusterSharding.Get(system).Start(
        TypeName, ShardReaderActor.Props(files), ClusterShardingSettings.Create(system), new ByCorpusShard());

    // One entity per shard of a corpus; held-out shards are entities of their own.
    private sealed class ByCorpusShard() : HashCodeMessageExtractor(64)
    {
        public override string? EntityId(object message) => message switch
        {
            ReadBlocks read => Of(read.Shard, read.HeldOut),
            ReadSources read => Of(read.Shard, read.HeldOut),
            _ => null,
        };

        private static string Of(ShardId shard, bool heldOut) => $"{shard}{(heldOut ? "-held-out" : "")}";
    }
}
