using Akka.Cluster;
using Akka.Cluster.Tools.Singleton;
using Akka.Configuration;
using Akka.Coordination;
using Elastic.Actors.Membership;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Membership;

public sealed class NetworkPresetTests
{
    public static TheoryData<string> Names => ["lan", "cloud", "spot"];

    [Theory]
    [InlineData("wan")]
    [InlineData("LAN")]
    [InlineData("")]
    public void A_preset_that_does_not_exist_is_refused_with_those_that_do(string name) =>
        Assert.Contains(
            "take lan, cloud or spot", Assert.Throws<ElasticException>(() => NetworkPreset.Load(name)).Message, StringComparison.Ordinal);

    [Theory, MemberData(nameof(Names))]
    public void Its_times_fit_together(string name)
    {
        var config = MembershipConfig.ForSeed(NetworkPreset.Load(name), DatabaseAddress.Parse(null, "/data"))
            .WithFallback(ConfigurationFactory.FromResource<Cluster>("Akka.Cluster.Configuration.Cluster.conf"))
            .WithFallback(ClusterSingleton.DefaultConfig());
        var membership = MembershipSettings.Of(config.GetConfig("elastic.membership"));
        var lease = TimeoutSettings.Create(config.GetConfig("elastic.singleton-lease"));
        var failure = config.GetConfig("akka.cluster.failure-detector");
        var detection = failure.GetTimeSpan("acceptable-heartbeat-pause") + failure.GetTimeSpan("heartbeat-interval");

        // A worker that the seeds hear gives up only after they have had the time to down it, were it otherwise.
        Assert.True(membership.WorkerPatience > membership.StableAfter + membership.StandbyDelay);
        // The next in line waits for longer than a decision takes to arrive.
        Assert.True(membership.StandbyDelay > 2 * membership.TickInterval);
        // The lease of a dead supervisor has run out by the time that its seed is downed.
        Assert.True(lease.HeartbeatTimeout <= detection + membership.StableAfter);
        Assert.True(lease.HeartbeatInterval * 3 < lease.HeartbeatTimeout);
    }

    [Theory, MemberData(nameof(Names))]
    public void A_worker_has_no_trace_of_the_database(string name) =>
        Assert.DoesNotContain(
            "connection-string", MembershipConfig.ForWorker(NetworkPreset.Load(name)).ToString(), StringComparison.Ordinal);
}
