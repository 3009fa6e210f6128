namespace Elastic.Actors.Hosting;

/// <summary>
/// Finds members that call themselves seeds and that the database does not know: each real seed enters itself there within a second. One
/// that stays would, as the oldest member some day, be the place of the supervisors, which no other seed may take then.
/// </summary>
internal sealed class UnregisteredSeeds
{
    /// <summary>Looks, one a second. A seed whose machine is busy may be this late.</summary>
    public const int MostLooks = 15;

    private readonly Dictionary<string, int> _looks = new(StringComparer.Ordinal);

    /// <summary>Takes one look.</summary>
    /// <param name="members">Seeds that are up in the cluster, without this one.</param>
    /// <param name="registered">Seeds that the database has seen not long ago.</param>
    /// <returns>Those that must go.</returns>
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
