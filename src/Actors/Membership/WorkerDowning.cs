using static Elastic.Actors.Membership.DowningDecision;

namespace Elastic.Actors.Membership;

/// <summary>
/// Decides when a worker gives up, without clocks, actors or I/O. A worker never downs others, but ends its own actor system when it hears
/// no seed any more, or when its own connection is the broken one.
/// </summary>
internal sealed class WorkerDowning(MembershipSettings settings)
{
    private readonly Dictionary<string, TimeSpan> _silentSince = [];
    private TimeSpan? _seedHeard;

    /// <summary>Decides; to be called a few times a second.</summary>
    /// <param name="now">Since any moment, by a clock that only runs forward.</param>
    public DowningDecision Observe(ClusterPicture picture, TimeSpan now)
    {
        if (!picture.IsMember || _seedHeard is null || picture.Peers.Any(p => p.Seed && p.Heard && p.Standing != Standing.Gone))
            _seedHeard = now;
        if (now - _seedHeard >= settings.WorkerPatience)
            return new End($"no seed was heard for {settings.WorkerPatience.TotalSeconds} s: leaving, to join again");

        var silent = picture.Silent.ToDictionary(p => p.Node);
        foreach (var node in _silentSince.Keys.Where(n => !silent.ContainsKey(n)).ToList())
            _silentSince.Remove(node);
        foreach (var node in silent.Keys)
            _silentSince.TryAdd(node, now);

        // If the seeds did not hear the node either, they would have downed it. Until one of the two nodes leaves, no node can come up.
        return picture.IsMember
            && silent.Keys.FirstOrDefault(n => silent[n].SawNewest && now - _silentSince[n] >= 2 * settings.WorkerPatience) is { } lone
            ? new End(
                $"{lone} is not heard here, though others hear it: leaving, to join again; "
                + "see what is between the two machines (a firewall?)")
            : new Wait();
    }
}
