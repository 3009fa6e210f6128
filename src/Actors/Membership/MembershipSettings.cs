using Akka.Configuration;

namespace Elastic.Actors.Membership;

/// <summary>The section elastic.membership; hocon/network/*.conf explain each setting.</summary>
internal sealed record MembershipSettings(
    TimeSpan TickInterval,
    TimeSpan StableAfter,
    TimeSpan UnstableAfter,
    TimeSpan MinorityDelay,
    TimeSpan StandbyDelay,
    TimeSpan VerdictPollInterval,
    TimeSpan WorkerPatience)
{
    public static MembershipSettings Of(Config section) => new(
        section.GetTimeSpan("tick-interval"),
        section.GetTimeSpan("stable-after"),
        section.GetTimeSpan("unstable-after"),
        section.GetTimeSpan("minority-delay"),
        section.GetTimeSpan("standby-delay"),
        section.GetTimeSpan("verdict-poll-interval"),
        section.GetTimeSpan("worker-patience"));
}
