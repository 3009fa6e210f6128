using static Elastic.Actors.Membership.DowningDecision;

namespace Elastic.Actors.Membership;

/// <summary>
/// When a seed downs silent nodes: decided without clocks, actors or I/O.
/// </summary>
/// <remarks>
/// <para>Akka's own split brain resolver leaves the decision to the leader of all members, which may be a worker: that one has no
/// database, cannot take the lease, and so downs everybody it reaches. Here every seed judges by what it hears itself, in turns: the first
/// of the seeds it hears, by address, at once; the next one a while later, should the first one not have done it (it may hear what we do
/// not). It does no harm if two judge at once, because silent seeds are downed by an entry in the database, which only one side can
/// make. A worker's opinion never downs anybody: one with a busy core would down all others.</para>
/// <para>The database may be down for as long as it likes: the entry has no expiry, so that a side that comes late has lost for good.</para>
/// </remarks>
internal sealed class SeedDowning(MembershipSettings settings)
{
    private HashSet<string> _silent = [];
    private TimeSpan _changed;
    private TimeSpan _firstSilent;

    /// <summary>To be asked a few times a second.</summary>
    /// <param name="now">Since any moment, by a clock that only runs forward.</param>
    public DowningDecision Observe(ClusterPicture picture, TimeSpan now)
    {
        var silent = picture.Silent.ToList();
        if (!_silent.SetEquals(silent.Select(p => p.Node)))
        {
            if (_silent.Count == 0)
                _firstSilent = now;
            _silent = silent.Select(p => p.Node).ToHashSet();
            _changed = now;
        }
        if (silent.Count == 0 || !picture.IsMember)
            return new Wait();

        var turn = Turn(picture) * settings.StandbyDelay + (IsMinority(picture) ? settings.MinorityDelay : TimeSpan.Zero);
        if (now - _changed < settings.StableAfter + turn && now - _firstSilent < settings.StableAfter + settings.UnstableAfter + turn)
            return new Wait();
        var nodes = silent.Select(p => p.Node).ToList();
        var seeds = silent.Where(p => p.Seed).Select(p => p.Node).ToList();
        return seeds.Count == 0 ? new DownWorkers(nodes) : new Judge(nodes, seeds);
    }

    // A seed that is still joining comes after all others, but it comes: it may be the only one left, and cannot come up before the
    // silent ones are gone.
    private static int Turn(ClusterPicture picture) => picture.Peers
        .Where(p => p.Seed && p.Heard && p.Standing != Standing.Gone)
        .OrderByDescending(p => p.Standing)
        .Select(p => p.Node)
        .ToList().IndexOf(picture.Self);

    // Of equal halves, the one with the first address counts as the larger.
    private static bool IsMinority(ClusterPicture picture)
    {
        var seeds = picture.Peers.Where(p => p.Seed && p.Standing == Standing.Up).ToList();
        var silent = seeds.Count(p => !p.Heard);
        return silent * 2 > seeds.Count || (silent > 0 && silent * 2 == seeds.Count && !seeds[0].Heard);
    }
}
