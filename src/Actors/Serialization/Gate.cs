using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Elastic.Actors.Hosting;

namespace Elastic.Actors.Serialization;

/// <summary>
/// The one place that decides whose messages this process takes: by the process at the other end of the connection, and before an actor
/// sees the message. All serializers ask it. What a certificate or a signature says of a process is to be checked here, too.
/// </summary>
internal sealed class Gate(ExtendedActorSystem system)
{
    // What a stranger writes into a refused message must not fill the log.
    private const int MostOfAReason = 200;

    private readonly Repetitions _repetitions = new();

    private volatile Known _known = new([], ImmutableDictionary<string, Member>.Empty);

    /// <returns>The member at the other end; null where the bytes come from no other process.</returns>
    /// <exception cref="RefusedException">The process at the other end is no member of the cluster.</exception>
    public Member? DemandMember(string what) => OtherEnd.Current is not { } origin
        ? null
        : MemberAt(origin) ?? throw Refusal(what, "that process is no member of the cluster");

    /// <exception cref="RefusedException">The bytes come from another process.</exception>
    public void DemandLocal(string what)
    {
        if (OtherEnd.Current is not null)
            throw Refusal(what, "it never travels");
    }

    /// <summary>Says in the log, at most once a minute for each kind of message and reason, what is refused from whom.</summary>
    /// <param name="what">The kind of message, in words of this process.</param>
    /// <param name="why">In words of this process.</param>
    public RefusedException Refusal(string what, string why) => Refusal(what, why, why);

    /// <inheritdoc cref="Refusal(string, string)"/>
    /// <param name="what"/>
    /// <param name="why">May hold what the other process wrote, which is not to fill the log: all such reasons are one.</param>
    public RefusedException Refusal(string what, Exception why) => Refusal(what, why.Message, why.GetType().Name);

    private RefusedException Refusal(string what, string why, string kind)
    {
        if (why.Length > MostOfAReason)
            why = $"{why[..MostOfAReason]} …";
        var refusal = new RefusedException($"{what} from {OtherEnd.Current ?? "this process"} is refused: {why}");
        if (_repetitions.IsDue($"{what}: {kind}", DateTime.UtcNow, out var skipped))
            system.Log.Warning("{0}{1}", refusal.Message, skipped > 0 ? $" (and {skipped} more of this kind since the last line)" : "");
        return refusal;
    }

    /// <summary>
    /// False where an older seed is up. The supervisors are where the oldest seed is: one that has joined after it, and may be none, gives
    /// no orders. While the oldest one is being replaced, orders that are refused here are given again.
    /// </summary>
    public bool MaySupervise(Member member) =>
        Now().OldestSeed is not { } oldest || oldest.UniqueAddress == member.UniqueAddress || !oldest.IsOlderThan(member);

    private Member? MemberAt(string origin) => system.HasExtension<Cluster>() ? Now().ByOrigin.GetValueOrDefault(origin) : null;

    private Known Now()
    {
        var members = Cluster.Get(system).State.Members;
        var known = _known;
        if (!ReferenceEquals(known.Members, members))
            _known = known = new Known(members, members.Where(m => m.Status is not (MemberStatus.Down or MemberStatus.Removed))
                .GroupBy(m => m.Address.HostPort(), StringComparer.Ordinal)
                .ToImmutableDictionary(m => m.Key, m => m.Last(), StringComparer.Ordinal))
            {
                OldestSeed = members.Where(m => m.HasRole("seed") && m.Status == MemberStatus.Up).Cast<Member?>()
                    .Aggregate((Member?)null, (oldest, m) => oldest is null || m!.IsOlderThan(oldest) ? m : oldest),
            };
        return known;
    }

    private sealed record Known(ImmutableSortedSet<Member> Members, ImmutableDictionary<string, Member> ByOrigin)
    {
        /// <summary>The oldest of the seeds that are up; null where none is.</summary>
        public Member? OldestSeed { get; init; }
    }
}
