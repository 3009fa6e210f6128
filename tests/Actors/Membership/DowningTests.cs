using Elastic.Actors.Membership;
using static Elastic.Actors.Membership.DowningDecision;

namespace Elastic.Actors.Tests.Membership;

public sealed class DowningTests
{
    private static readonly MembershipSettings Settings = new(
        TickInterval: Seconds(0.5), StableAfter: Seconds(2), UnstableAfter: Seconds(3), MinorityDelay: Seconds(1),
        StandbyDelay: Seconds(1.5), VerdictPollInterval: Seconds(1), WorkerPatience: Seconds(8));

    [Fact]
    public void A_worker_never_downs_anybody()
    {
        var worker = new WorkerDowning(Settings);
        for (var t = 0.0; t < 60; t += 0.5)
            Assert.IsNotType<DownWorkers>(worker.Observe(Cluster("W1", "S1 W1 -W2 -W3"), Seconds(t)));
    }

    [Fact]
    public void Nobody_is_downed_while_all_are_heard() =>
        Assert.Null(FirstAct(new SeedDowning(Settings).Observe, _ => Cluster("S1", "S1 S2 W1")));

    [Fact]
    public void A_silence_that_ends_before_it_is_stable_has_no_consequence()
    {
        Assert.Null(FirstAct(new SeedDowning(Settings).Observe, t => Cluster("S1", t is > 1 and < 2.9 ? "S1 -S2 -W1" : "S1 S2 W1")));
        Assert.Null(FirstAct(new WorkerDowning(Settings).Observe, t => Cluster("W1", t is > 1 and < 8.9 ? "-S1 W1" : "S1 W1")));
    }

    [Fact]
    public void A_node_that_is_downed_already_is_not_downed_again() =>
        Assert.Null(FirstAct(new SeedDowning(Settings).Observe, _ => Cluster("S1", "S1 -S2! -W1!")));

    [Fact]
    public void A_seed_that_has_not_joined_or_was_downed_itself_downs_nobody()
    {
        Assert.Null(FirstAct(new SeedDowning(Settings).Observe, _ => Cluster("S1", "-S2 W1")));
        Assert.Null(FirstAct(new SeedDowning(Settings).Observe, _ => Cluster("S1", "S1! -S2 W1")));
    }

    [Fact]
    public void A_dead_worker_is_downed_by_the_first_seed_without_the_database()
    {
        var (at, act) = FirstAct(new SeedDowning(Settings).Observe, _ => Cluster("S1", "S1 S2 -W1 W2"))!.Value;
        Assert.Equal(["W1"], Assert.IsType<DownWorkers>(act).Nodes);
        Assert.Equal(2, at);
    }

    [Fact]
    public void A_worker_that_only_one_seed_cannot_hear_is_downed_by_that_one_though_it_is_not_its_turn()
    {
        Assert.Null(FirstAct(new SeedDowning(Settings).Observe, _ => Cluster("S1", "S1 S2 W1")));
        var (at, act) = FirstAct(new SeedDowning(Settings).Observe, _ => Cluster("S2", "S1 S2 -W1"))!.Value;
        Assert.Equal(["W1"], Assert.IsType<DownWorkers>(act).Nodes);
        Assert.Equal(3.5, at);
    }

    [Theory]
    [InlineData("S1", "S1 S2 -S3 W1", 2)]                   // the first of the majority, at once
    [InlineData("S2", "S1 S2 -S3 W1", 3.5)]                 // the second one, if the first one has not
    [InlineData("S2", "-S1 S2 S3 W1", 2)]                   // the lowest address is the dead one's
    [InlineData("S1", "S1 -S2 -S3 W1", 3)]                  // the minority lets the majority go first
    [InlineData("S1", "S1 -S2 W1", 2)]                      // of two, the half with the first address goes first
    [InlineData("S2", "-S1 S2 W1", 3)]
    [InlineData("S2", "W0 -S1 S2", 3)]                      // a worker has the lowest address and is Akka's leader
    public void Silent_seeds_are_judged_in_turns(string self, string members, double expectedSeconds)
    {
        var (at, act) = FirstAct(new SeedDowning(Settings).Observe, _ => Cluster(self, members))!.Value;
        var silent = members.Split(' ').Where(m => m[0] == '-').Select(m => m[1..]);
        Assert.Equal(silent, Assert.IsType<Judge>(act).Seeds);
        Assert.Equal(expectedSeconds, at);
    }

    [Theory]
    [InlineData("S1", "S1 S2 xS3 W1", 0.5)]
    [InlineData("S2", "xS1 S2 W1", 0.5)]                    // half of the seeds, and no other half could go on
    [InlineData("S2", "S1 S2 xS3 W1", 2)]                   // the second one, if the first one has not
    [InlineData("S1", "S1 S2 xS3 -W1", 2)]                  // what is only silent may come back
    public void Seeds_whose_processes_have_ended_are_judged_without_waiting_for_them(string self, string members, double expectedSeconds)
    {
        var (at, act) = FirstAct(new SeedDowning(Settings).Observe, _ => Cluster(self, members))!.Value;
        Assert.Equal(members.Split(' ').Where(m => m[0] == 'x').Select(m => m[1..]), Assert.IsType<Judge>(act).Seeds);
        Assert.Equal(expectedSeconds, at);
    }

    [Fact]
    public void A_seed_that_is_still_joining_judges_when_no_other_is_left()
    {
        Assert.IsType<Judge>(FirstAct(new SeedDowning(Settings).Observe, _ => Cluster("S2", "-S1 S2? W1"))!.Value.Act);
        // With two others up, it comes third, although its address is the first.
        Assert.Equal(5, FirstAct(new SeedDowning(Settings).Observe, _ => Cluster("S1", "S1? S2 S3 -S4"))!.Value.At);
    }

    [Fact]
    public void Workers_on_the_other_side_go_with_the_seeds_there()
    {
        var judge = Assert.IsType<Judge>(FirstAct(new SeedDowning(Settings).Observe, _ => Cluster("S1", "S1 S2 -S3 W1 -W2"))!.Value.Act);
        Assert.Equal(["S3", "W2"], judge.Nodes);
        Assert.Equal(["S3"], judge.Seeds);
    }

    [Fact]
    public void Each_newly_silent_node_starts_the_wait_again_but_not_for_ever()
    {
        // W1 falls silent at 0, then another one each second; stable-after is 2 s.
        string Dying(double t) => "S1 " + string.Join(' ', Enumerable.Range(1, 20).Select(n => t >= n - 1 ? $"-W{n:00}" : $"W{n:00}"));
        var (at, act) = FirstAct(new SeedDowning(Settings).Observe, t => Cluster("S1", Dying(t)))!.Value;
        Assert.Equal(5, at);                                // stable-after + unstable-after
        Assert.Equal(6, Assert.IsType<DownWorkers>(act).Nodes.Count);
    }

    [Fact]
    public void A_worker_that_hears_no_seed_ends_and_not_because_others_do_not()
    {
        Assert.Equal(8, FirstAct(new WorkerDowning(Settings).Observe, _ => Cluster("W1", "-S1 -S2 W1 W2"))!.Value.At);
        Assert.Equal(8, FirstAct(new WorkerDowning(Settings).Observe, _ => Cluster("W1", "S1! W1 W2"))!.Value.At);
        Assert.Null(FirstAct(new WorkerDowning(Settings).Observe, _ => Cluster("W1", "-S1 S2 W1 W2")));
        Assert.Null(FirstAct(new WorkerDowning(Settings).Observe, _ => Cluster("W1", "S1? W1 W2")));
    }

    [Fact]
    public void A_worker_that_alone_cannot_hear_somebody_takes_the_fault_as_its_own()
    {
        Assert.Null(FirstAct(new WorkerDowning(Settings).Observe, _ => Cluster("W1", "S1 W1 -W2")));
        var (at, act) = FirstAct(new WorkerDowning(Settings).Observe, _ => Cluster("W1", "S1 W1 -W2*"))!.Value;
        Assert.Contains("W2", Assert.IsType<End>(act).Why, StringComparison.Ordinal);
        Assert.Equal(16, at);
    }

    [Fact]
    public void However_a_network_of_seeds_splits_both_sides_never_go_on() => CsCheck.Check.Sample(
        CsCheck.Gen.Select(CsCheck.Gen.Int[2, 6], CsCheck.Gen.Int[1, 62], CsCheck.Gen.Double[0, 3], CsCheck.Gen.Double[0, 3]),
        (seeds, mask, skewA, skewB) =>
        {
            // Side A is the set bits; each side falls silent to the other at its own time; the list is the database.
            var list = new HashSet<string>();
            var names = Enumerable.Range(0, seeds).Select(n => $"S{n}").ToList();
            bool OnA(string seed) => (mask >> names.IndexOf(seed) & 1) == 1;
            if (names.All(OnA) || !names.Any(OnA))
                return;
            var deciders = names.ToDictionary(n => n, _ => new SeedDowning(Settings));
            var gone = names.ToDictionary(n => n, _ => new HashSet<string>());         // whom each side has downed
            for (var t = 0.0; t < 30; t += 0.5)
            {
                foreach (var self in names.Where(n => !list.Contains(n)))
                {
                    var silentFrom = OnA(self) ? skewA : skewB;
                    var members = string.Join(' ', names.Select(n =>
                        (t >= silentFrom && OnA(n) != OnA(self) ? "-" : "") + n + (gone[self].Contains(n) ? "!" : "")));
                    if (deciders[self].Observe(Cluster(self, members), Seconds(t)) is Judge judge && !list.Contains(self))
                    {
                        list.UnionWith(judge.Seeds);
                        foreach (var peer in names.Where(n => OnA(n) == OnA(self)))
                            gone[peer].UnionWith(judge.Nodes);
                    }
                }
            }
            var survivors = names.Where(n => !list.Contains(n)).ToList();
            Assert.NotEmpty(survivors);
            Assert.Single(survivors.Select(OnA).Distinct());
            Assert.Equal(names.Where(n => OnA(n) == OnA(survivors[0])), survivors);
        });

    // "S1 -S2 -W1! S3? -W2* xS4": seeds and workers in the order of their addresses;
    // - silent, x ended, ! downed, ? joining, * has seen the newest membership.
    private static ClusterPicture Cluster(string self, string members) => new(self, [.. members.Split(' ').Select(m => new Peer(
        m.Trim('-', 'x', '!', '?', '*'),
        m.Contains('S', StringComparison.Ordinal),
        m.EndsWith('!') ? Standing.Gone : m.EndsWith('?') ? Standing.Joining : Standing.Up,
        m[0] is not ('-' or 'x'),
        m[0] is not ('-' or 'x') || m.EndsWith('*'),
        m.StartsWith('x')))]);

    // Half-second ticks over a minute: what is done first, and when.
    private static (double At, DowningDecision Act)? FirstAct(
        Func<ClusterPicture, TimeSpan, DowningDecision> observe, Func<double, ClusterPicture> picture)
    {
        for (var t = 0.0; t < 60; t += 0.5)
        {
            if (observe(picture(t), Seconds(t)) is var act and not Wait)
                return (t, act);
        }
        return null;
    }

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);
}
