using Akka.Cluster;

namespace Elastic.Actors.Hosting;

/// <summary>
/// Finds members that call themselves seeds and that the database does not know. One that stays would, as the oldest member some day, be
/// the place of the supervisors, which no other seed may take then.
/// </summary>
/// <remarks>
/// A real seed enters itself before it asks to be let in, so a newcomer that is not in the database goes at once. Later on each real seed
/// beats every second; one that falls silent there goes after some looks only, since its machine, or the database's clock, may be at fault.
/// </remarks>
internal sealed class UnregisteredSeeds
{
    /// <summary>Looks, one a second. A seed whose machine is busy may be this late.</summary>
    public const int MostLooks = 15;

    private readonly Dictionary<string, int> _looks = new(StringComparer.Ordinal);
    private readonly HashSet<UniqueAddress> _admitted = [];

    /// <summary>The members of whom the database has not said yet that they are seeds.</summary>
    /// <param name="members">Members that call themselves seeds, without this one.</param>
    public IReadOnlyList<UniqueAddress> Newcomers(IReadOnlyCollection<UniqueAddress> members)
    {
        _admitted.IntersectWith(members);
        return [.. members.Where(m => !_admitted.Contains(m))];
    }

    /// <summary>Takes what the database says of newcomers.</summary>
    /// <param name="entered">Seeds that have entered themselves, as the database said after the newcomers had been seen.</param>
    /// <returns>The newcomers that must go.</returns>
    public IReadOnlyList<UniqueAddress> Admit(IReadOnlyList<UniqueAddress> newcomers, IReadOnlyCollection<string> entered)
    {
        var seeds = newcomers.ToLookup(m => entered.Contains(Contacts.NameOf(m.Address)));
        _admitted.UnionWith(seeds[true]);
        return [.. seeds[false]];
    }

    /// <summary>Takes one look.</summary>
    /// <param name="members">Seeds that are up in the cluster, without this one.</param>
    /// <param name="registered">Seeds that the database has seen not long ago.</param>
    /// <returns>The members that must go.</returns>
    public IReadOnlyList<string> Look(IEnumerable<string> members, IEnumerable<string> registered)
    {
        var unknown = members.Except(registered, StringComparer.Ordinal).ToHashSet(StringComparer.Ordinal);
        foreach (var known in _looks.Keys.Where(k => !unknown.Contains(k)).ToList())
            _looks.Remove(known);
        foreach (var seed in unknown)
            _looks[seed] = _looks.GetValueOrDefault(seed) + 1;
        return [.. unknown.Where(s => _looks[s] >= MostLooks)];
    }
}
