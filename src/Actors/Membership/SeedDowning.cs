using static Elastic.Actors.Membership.DowningDecision;

namespace Elastic.Actors.Membership;

/// <summary>
/// Decides when a seed downs silent nodes, without clocks, actors or I/O.
/// </summary>
/// <remarks>
/// <para>Akka's own split brain resolver leaves the decision to the leader of all members. The leader may be a worker, which has no
/// database, cannot take the lease, and so downs every node that it reaches. Here every seed decides by the heartbeats that it gets itself,
/// in turns: the first of the seeds that it hears, by address, decides at once; the next one a while later, if the first has not (the first
/// may still hear the silent node). Two seeds may decide at once without harm, because a seed downs silent seeds by an entry in the
/// database, which only one side can make. No worker downs another node: one with a busy core would down all others.</para>
/// <para>The database may be down for any time: the entry has no expiry, so that a side that comes late has lost for good.</para>
/// </remarks>
internal sealed class SeedDowning(MembershipSettings settings)
{
    // For all that died together to be seen as dead, and be judged once.
    private static readonly TimeSpan EndedAfter = TimeSpan.FromMilliseconds(250);

    private HashSet<string> _silent = [];
    private TimeSpan _changed;
    private TimeSpan _firstSilent;

    /// <summary>Decides; to be called a few times a second.</summary>
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

        // Where processes have ended there is no other side that could go on instead.
        var ended = silent.All(p => p.Refuses);
        var turn = Turn(picture) * settings.StandbyDelay + (!ended && IsMinority(picture) ? settings.MinorityDelay : TimeSpan.Zero);
        if (now - _changed < (ended ? EndedAfter : settings.StableAfter) + turn
            && now - _firstSilent < settings.StableAfter + settings.UnstableAfter + turn)
            return new Wait();
        var nodes = silent.Select(p => p.Node).ToList();
        var seeds = silent.Where(p => p.Seed).Select(p => p.Node).ToList();
        return seeds.Count == 0 ? new DownWorkers(nodes) : new Judge(nodes, seeds);
    }

    // A seed that is still joining has a turn after all others: it may be the only seed left, and cannot come up before the silent ones are
    // removed.
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
