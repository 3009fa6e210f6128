using Akka.Actor;
using Akka.Cluster;
using Akka.Configuration;
using Elastic.Actors.Serialization;
using Elastic.Messages.Nodes;

namespace Elastic.Actors.Tests.Serialization;

/// <summary>A message that is too large to travel is refused where it is written, and somebody learns of it.</summary>
public sealed class UnsendableMessageSpecs : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly ActorSystem _sender = System(), _receiver = System();

    // Only from a seed of its cluster does a process take such a message.
    public async ValueTask InitializeAsync()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        await Cluster.Get(_sender).JoinAsync(Cluster.Get(_sender).SelfAddress, deadline.Token);
        await Cluster.Get(_receiver).JoinAsync(Cluster.Get(_sender).SelfAddress, deadline.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _sender.Terminate();
        await _receiver.Terminate();
    }

    [Theory]
    [InlineData(130_000, "bytes, and at most 65536 can be sent")]
    [InlineData(66_000, "bytes, and at most 65536 can be sent")]
    public async Task It_is_reported_each_time_and_the_messages_after_it_arrive(int characters, string why)
    {
        using Inbox reports = Inbox.Create(_sender), target = Inbox.Create(_receiver);
        _sender.EventStream.Subscribe(reports.Receiver, typeof(UnsendableMessage));
        var address = ((ExtendedActorSystem)_receiver).Provider.DefaultAddress;
        var way = ((ExtendedActorSystem)_sender).Provider.ResolveActorRef(target.Receiver.Path.ToStringWithAddress(address));
        var (large, small) = (new NodeNews.Refused(new string('x', characters)), new NodeNews.Refused("small"));

        foreach (var message in new[] { small, large, large, small })
            way.Tell(message);

        for (var i = 0; i < 2; i++)
        {
            var report = Assert.IsType<UnsendableMessage>(await reports.ReceiveAsync(Deadline));
            Assert.Equal(large, report.Message);
            Assert.StartsWith("a Refused cannot be sent: ", report.ToString());
            Assert.Contains(why, report.Why);
            Assert.Equal(small, await target.ReceiveAsync(Deadline));
        }
    }

    private static ActorSystem System()
    {
        using var stream = typeof(ElasticSerializer).Assembly.GetManifestResourceStream("hocon/akka.conf")!;
        using var reader = new StreamReader(stream);
        var own = ConfigurationFactory.ParseString("""
            akka { actor.provider = cluster, cluster.roles = [seed], loglevel = OFF, loggers = [] }
            akka.remote.elastic { hostname = "127.0.0.1", port = 0 }
            """);
        return ActorSystem.Create("sizes", own.WithFallback(ConfigurationFactory.ParseString(reader.ReadToEnd())));
    }
}
