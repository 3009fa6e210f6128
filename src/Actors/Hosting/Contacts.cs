using System.Data.Common;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Cluster;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Hosting;

/// <summary>Whom to join through.</summary>
/// <param name="Members">Only the process itself where a new cluster is to be formed.</param>
/// <param name="AtMost">How long to try; null for as long as joining may take.</param>
internal sealed record Way(IReadOnlyList<Address> Members, TimeSpan? AtMost = null);

/// <summary>Whom a process asks to be let into the cluster.</summary>
/// <param name="asked">Seeds that the person named.</param>
/// <param name="registry">For a seed: what the database knows of the others; null for a worker, and where there never are others.</param>
internal sealed class Contacts(IReadOnlyList<Endpoint> asked, SeedRegistry? registry, Transport transport)
{
    // A process that listens where a seed was not long ago answers within this time, if it is that seed.
    private static readonly TimeSpan Knock = TimeSpan.FromSeconds(1), Answer = TimeSpan.FromSeconds(3);
    private const int Knocks = 2;

    // Seeds seen in the cluster: where the person named one of three, the others are known from then on. Several threads, hence the lock.
    private readonly HashSet<Address> _seen = [];
    private readonly Lock _gate = new();

    private readonly IReadOnlyList<Address> _asked = [.. asked.Select(seed => seed.ToAddress(transport))];

    /// <summary>By which the database knows a seed.</summary>
    public static string NameOf(Address address) => address.ToEndpoint().ToString();

    /// <param name="attempt">Attempts in vain before this one.</param>
    /// <exception cref="ElasticException">The database cannot be asked.</exception>
    public async Task<Way> FindAsync(Address self, int attempt, CancellationToken cancel)
    {
        if (registry is null)
            return new(Others(self, _asked) is { Count: > 0 } others ? others : [self]);
        try
        {
            // What the database says is true: a seed that only the person named may have been gone for long.
            var up = await registry.OthersAsync(NameOf(self), cancel);
            // Nor is it gone because it did not say that it is up: the database may have been down for it, too.
            if (up.Count == 0 && attempt < Knocks && await ListeningAsync(await registry.RecentAsync(NameOf(self), cancel), cancel) is { Count: > 0 } listening)
                return new(listening, Answer);
            if (up.Count == 0 && await registry.TryFormAsync(NameOf(self), cancel))
                return new([self]);
            return new(Others(self, [.. _asked, .. AddressesOf(up)]));
        }
        catch (Exception e) when (e is DbException or TimeoutException)
        {
            throw new ElasticException($"the database cannot be asked who else is there ({e.Message}): trying again", e);
        }
    }

    /// <summary>The process has joined: from now on seeds are learnt, and a seed says that it is up.</summary>
    public void Enter(ActorSystem system) => system.ActorOf(Props.Create(() => new SeedWatch(this, registry)), "contacts");

    /// <summary>The process leaves for good.</summary>
    public async Task LeaveAsync(Address self)
    {
        try
        {
            await (registry?.LeaveAsync(NameOf(self), CancellationToken.None) ?? Task.CompletedTask);
        }
        catch (Exception e) when (e is DbException or TimeoutException)
        {
            // It is forgotten within seconds all the same.
        }
    }

    /// <summary>A seed of the cluster was seen.</summary>
    public void Note(Member member)
    {
        if (member.HasRole("seed"))
            lock (_gate)
                _seen.Add(member.Address);
    }

    private IEnumerable<Address> AddressesOf(IEnumerable<string> names) => Endpoint.Among(names).Select(seed => seed.ToAddress(transport));

    private async Task<IReadOnlyList<Address>> ListeningAsync(IEnumerable<string> seeds, CancellationToken cancel)
    {
        var known = Endpoint.Among(seeds).ToList();
        var listens = await Task.WhenAll(known.Select(async seed =>
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(Knock);
            try
            {
                (await transport.ConnectAsync(seed, limit.Token)).Dispose();
                return true;
            }
            catch (Exception e) when (e is SocketException or IOException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
            {
                return false;
            }
        }));
        return [.. known.Where((_, i) => listens[i]).Select(seed => seed.ToAddress(transport))];
    }

    private List<Address> Others(Address self, IEnumerable<Address> known)
    {
        lock (_gate)
            return [.. known.Concat(_seen).Where(a => a != self).Distinct()];
    }
}
