using System.Net.Sockets;
using Akka.Actor;
using Akka.Cluster;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Hosting;

/// <summary>The members through which a process joins.</summary>
/// <param name="Members">Only the process itself where it forms a new cluster.</param>
/// <param name="Named">Endpoints of the members, each under the one name that people know it by.</param>
/// <param name="AtMost">How long to try; null for as long as joining may take.</param>
internal sealed record Way(IReadOnlyList<Address> Members, IReadOnlyList<Endpoint> Named, TimeSpan? AtMost = null)
{
    public Way(IReadOnlyList<Address> members, TimeSpan? atMost = null)
        : this(members, [.. members.Select(m => m.ToEndpoint())], atMost)
    {
    }
}

/// <summary>Decides which processes this one asks to let it into the cluster.</summary>
/// <param name="asked">Seeds that the person named.</param>
/// <param name="registry">On a seed: the database's list of the other seeds; null for a worker, and where no other seed ever joins.</param>
/// <param name="remembered">On a worker: the seeds that earlier processes of this node saw.</param>
internal sealed class Contacts(
    IReadOnlyList<Endpoint> asked, SeedRegistry? registry, Transport transport, RememberedSeeds? remembered = null)
{
    // A process that listens at the address of a recent seed lets this one join within Answer, if it is that seed.
    private static readonly TimeSpan Knock = TimeSpan.FromSeconds(1), Answer = TimeSpan.FromSeconds(3);
    private const int Knocks = 2;

    // Failed attempts before the name is in doubt of a seed that was in the cluster under it: it may have been started anew under another.
    private const int LateNames = 3;

    // A database server that restarts is back sooner. Leaving costs its nodes some seconds once the database is back.
    private static readonly TimeSpan WithoutDatabase = TimeSpan.FromSeconds(30);

    // Seeds seen in the cluster: where the person named one of three, this list adds the other two. Several threads use it, hence the lock.
    private readonly HashSet<Address> _seen = [.. remembered?.Read().Select(seed => seed.ToAddress()) ?? []];
    private readonly Lock _gate = new();
    private Task _written = Task.CompletedTask;

    private readonly IReadOnlyList<Address> _asked = [.. asked.Select(seed => seed.ToAddress())];

    /// <summary>The name of a seed in the database.</summary>
    public static string NameOf(Address address) => address.ToEndpoint().ToString();

    /// <param name="attempt">Number of failed attempts before this one.</param>
    /// <exception cref="ElasticException">The database cannot be asked.</exception>
    public async Task<Way> FindAsync(Address self, int attempt, CancellationToken cancel)
    {
        if (registry is null)
            return await OthersAsync(self, attempt, [], cancel) is { Members.Count: > 0 } others ? others : new([self]);
        try
        {
            // The database decides, not the command line: a seed that only the person named may have stopped long ago.
            var up = await registry.OthersAsync(NameOf(self), cancel);
            // A seed that did not report itself as up may still run: the database may have been down for that seed, too.
            if (up.Count == 0 && attempt < Knocks
                && await ListeningAsync(await registry.RecentAsync(NameOf(self), cancel), cancel) is { Count: > 0 } listening)
            {
                await registry.AnnounceAsync(NameOf(self), cancel);
                return new(listening, Answer);
            }

            if (up.Count == 0 && await registry.TryFormAsync(NameOf(self), cancel))
                return new([self]);
            // The other seeds remove a member that calls itself a seed and has not entered itself.
            await registry.AnnounceAsync(NameOf(self), cancel);
            return await OthersAsync(self, attempt, AddressesOf(up), cancel);
        }
        catch (DatabaseUnavailableException e)
        {
            throw new ElasticException($"the database cannot be asked who else is there ({e.Message}): trying again", e);
        }
    }

    /// <summary>Why nobody let this process in, for people.</summary>
    public async Task<string> DiagnoseAsync(Way way, CancellationToken cancel)
    {
        var whys = await Task.WhenAll(way.Named.Select(seed => SeedDiagnosis.OfAsync(seed, transport, SeedDiagnosis.Knock, cancel)));
        return whys is [var only] ? only : string.Join("; ", way.Named.Zip(whys, (seed, why) => $"{seed}: {why}"));
    }

    /// <summary>Begins to learn seeds, after the process has joined; on a seed, also reports in the database that it is up.</summary>
    public IActorRef Enter(ActorSystem system) => system.ActorOf(
        Props.Create(() => new SeedWatch(this, registry, WithoutDatabase)), "contacts");

    /// <summary>Removes this seed from the database when the process leaves for good, and waits for what is being written.</summary>
    public async Task LeaveAsync(Address self)
    {
        Task written;
        lock (_gate)
            written = _written;
        await written;
        try
        {
            await (registry?.LeaveAsync(NameOf(self), CancellationToken.None) ?? Task.CompletedTask);
        }
        catch (DatabaseUnavailableException)
        {
            // The registry forgets this seed within seconds all the same.
        }
    }

    /// <summary>Remembers a member of the cluster if it is a seed.</summary>
    public void Note(Member member)
    {
        if (!member.HasRole("seed"))
            return;
        lock (_gate)
        {
            if (!_seen.Add(member.Address) || remembered is null)
                return;
            // An actor calls this: it waits for no disk. One write after the other, so that the newest list stays.
            Endpoint[] seeds = [.. _seen.Select(seed => seed.ToEndpoint())];
            _written = _written.ContinueWith(
                _ => remembered.Write(seeds), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private static IEnumerable<Address> AddressesOf(IEnumerable<string> names) => Endpoint.Among(names).Select(seed => seed.ToAddress());

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
            catch (Exception e) when (e is SocketException or IOException
                || (e is OperationCanceledException && !cancel.IsCancellationRequested))
            {
                return false;
            }
        }));
        return [.. known.Where((_, i) => listens[i]).Select(seed => seed.ToAddress())];
    }

    // Every second attempt asks a seed that a person named under the other names that it may have; the other seeds said their own names.
    // One that was in the cluster under the name that the person gave has it: whoever comes back asks under other names late only, or would
    // wait in vain at first. Never under two names at once: two associations with one seed can get into each other's way, which costs an
    // attempt.
    private async Task<Way> OthersAsync(Address self, int attempt, IEnumerable<Address> up, CancellationToken cancel)
    {
        List<Address> named, doubtful;
        lock (_gate)
        {
            named = [.. _asked.Concat(up).Concat(_seen).Where(a => a != self).Distinct()];
            doubtful = [.. _asked.Where(a => a != self && (attempt >= LateNames || !_seen.Contains(a)))];
        }

        IEnumerable<Endpoint>[] aliases = attempt % 2 == 0
            ? [] : await Task.WhenAll(doubtful.Select(a => SeedNames.OfAsync(a.ToEndpoint(), cancel)));
        var others = aliases.SelectMany(a => a).Select(seed => seed.ToAddress())
            .Where(a => a != self && !_asked.Contains(a)).Distinct().ToList();
        return new(
            others.Count == 0 ? named : [.. named.Where(a => !doubtful.Contains(a)).Concat(others)],
            [.. named.Select(a => a.ToEndpoint())]);
    }
}
