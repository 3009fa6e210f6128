using Akka.Actor;
using Akka.Cluster;
using Elastic.Messages;

namespace Elastic.Actors.Hosting;

/// <summary>Whom a process asks to be let into the cluster.</summary>
/// <param name="asked">Seeds that the person named; none for a process that forms a cluster of its own.</param>
internal sealed class Contacts(IReadOnlyList<Address> asked)
{
    // Seeds seen in the cluster: where the person named one of three, the others are known from then on. Several threads, hence the lock.
    private readonly HashSet<Address> _seen = [];
    private readonly Lock _gate = new();

    /// <summary>"HOST:PORT" as an address of the cluster.</summary>
    /// <exception cref="ElasticException">It is something else.</exception>
    public static Address Parse(string text) =>
        text.LastIndexOf(':') is var colon and > 0 && int.TryParse(text.AsSpan(colon + 1), out var port) && port is > 0 and <= 65535
            ? new Address("akka.tcp", "elastic", text[..colon], port)
            : throw new ElasticException($"--seed {text}: name a seed as HOST:PORT, e.g. 10.0.0.5:4053");

    /// <summary>Members to join through; only <paramref name="self"/> where a new cluster is to be formed.</summary>
    public Task<IReadOnlyList<Address>> FindAsync(Address self, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        lock (_gate)
        {
            IReadOnlyList<Address> others = [.. asked.Concat(_seen).Where(a => a != self).Distinct()];
            return Task.FromResult(others.Count > 0 ? others : [self]);
        }
    }

    /// <summary>The process has joined: from now on seeds are learnt.</summary>
    public void Enter(ActorSystem system) => system.ActorOf(Props.Create(() => new SeedWatch(this)), "contacts");

    private void Note(Member member)
    {
        if (member.HasRole("seed"))
            lock (_gate)
                _seen.Add(member.Address);
    }

    private sealed class SeedWatch : ReceiveActor
    {
        public SeedWatch(Contacts contacts)
        {
            Receive<ClusterEvent.CurrentClusterState>(state => state.Members.ToList().ForEach(contacts.Note));
            Receive<ClusterEvent.MemberUp>(up => contacts.Note(up.Member));
            Cluster.Get(Context.System).Subscribe(Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsSnapshot, typeof(ClusterEvent.MemberUp));
        }
    }
}
