using Elastic.Foundation;
using static Elastic.Transfer.Tests.TransferSamples;

namespace Elastic.Transfer.Tests;

public sealed class PeersTests
{
    private static readonly TransferLimits Limits = new();
    private static readonly Digest Set = Digest.Of([1]);

    private readonly HandTime _time = new();
    private readonly Peers _peers;

    public PeersTests() => _peers = new Peers(Limits, _time);

    [Fact]
    public async Task When_all_were_asked_there_is_nobody()
    {
        Assert.Null(await Take());
        List("a", "b");
        Assert.Null(await Take(null, "a", "b"));
    }

    [Fact]
    public async Task A_peer_that_is_busy_is_waited_for_until_a_transfer_ends()
    {
        List("a");
        var running = await TakeMany(Limits.PerPeer);
        var waiting = Take();
        Assert.False(waiting.IsCompleted);
        running[2]!.Dispose();
        Assert.Equal("a", (await waiting)!.Endpoint.Host);
    }

    [Fact]
    public async Task A_peer_that_joins_ends_the_wait_for_a_busy_one()
    {
        List("a");
        await TakeMany(Limits.PerPeer);
        var waiting = Take();
        List("a", "b");
        Assert.Equal("b", (await waiting)!.Endpoint.Host);
    }

    [Fact]
    public async Task No_more_than_the_total_runs_at_once_however_many_peers_there_are()
    {
        List([.. Enumerable.Range(0, 20).Select(i => $"peer{i}")]);
        var running = await TakeMany(Limits.Total);
        var waiting = Take();
        Assert.False(waiting.IsCompleted);
        running[0]!.Dispose();
        Assert.NotNull(await waiting);
    }

    [Fact]
    public async Task Transfers_are_spread_evenly()
    {
        List("a", "b", "c", "d");
        var running = await TakeMany(8);
        Assert.All(running.CountBy(r => r!.Endpoint), count => Assert.Equal(2, count.Value));
    }

    [Fact]
    public async Task Who_had_a_blob_of_the_set_is_asked_first_and_others_when_it_is_busy()
    {
        List("a", "b");
        using (var b = await Take(Set, "a"))
            b!.Had();
        var running = new List<PeerLease?>();
        for (var i = 0; i < 5; i++)
            running.Add(await Take(Set));
        Assert.Equal(["b", "b", "b", "b", "a"], running.Select(r => r!.Endpoint.Host));
    }

    [Fact]
    public async Task Who_just_lacked_a_blob_of_the_set_comes_after_the_others_but_not_for_long()
    {
        List("a", "b");
        using (var b = await Take(Set, "a"))
            b!.Had();
        using (var b = await Take(Set, "a"))
            b!.Lacked();
        await AssertTakenAsync("a", Set);
        await AssertTakenAsync("b", Set, "a");
        _time.Advance(Limits.Lacking);
        using (var a = await Take(Set, "b"))
            a!.Lacked();
        await AssertTakenAsync("b", Set);
    }

    [Fact]
    public async Task Who_failed_goes_to_the_back_longer_each_time_but_not_for_ever()
    {
        List("a", "b");
        for (var away = Limits.PutAway.First; away < 2 * Limits.PutAway.Longest; away *= 2)
        {
            using (var b = await Take(null, "a"))
                b!.Failed();
            var bounded = away < Limits.PutAway.Longest ? away : Limits.PutAway.Longest;
            _time.Advance(bounded * 0.7);
            await AssertTakenAsync("a");
            await AssertTakenAsync("b", null, "a");
            _time.Advance(bounded * 0.3);
            Assert.Equal(2, (await TakeAndReturnAsync(2)).Distinct().Count());
        }
    }

    [Fact]
    public async Task Who_failed_gets_one_transfer_at_a_time_until_it_has_served_one()
    {
        List("a");
        using (var failing = await Take())
            failing!.Failed();
        using (var probe = await Take())
        {
            Assert.False(Take().IsCompleted);
            probe!.Served();
        }

        Assert.All(await TakeMany(Limits.PerPeer - 1), taken => Assert.Equal("a", taken!.Endpoint.Host));
    }

    [Fact]
    public async Task Who_leaves_is_known_to_its_transfers_and_a_return_is_a_new_beginning()
    {
        List("a", "b");
        using var running = await Take(null, "b");
        List("b");
        Assert.True(running!.Left.IsCancellationRequested);
        List("a", "b");
        using var next = await Take(null, "b");
        Assert.False(next!.Left.IsCancellationRequested);
    }

    [Fact]
    public async Task Who_lied_is_not_asked_at_all_for_long_even_if_it_left_and_came_back()
    {
        List("a");
        using (var a = await Take())
            a!.Lied();
        List();
        List("a");
        Assert.Null(await Take());
        Assert.Equal([Of("a")], _peers.Distrusted);
        _time.Advance(Limits.Distrust);
        await AssertTakenAsync("a");
        Assert.Empty(_peers.Distrusted);
    }

    private Task<PeerLease?> Take(Digest? set = null, params string[] asked) => _peers.TakeAsync(set, [.. asked.Select(Of)], Deadline);

    private void List(params string[] hosts) => _peers.Set([.. hosts.Select(Of)]);

    private static Endpoint Of(string host) => new(host, 1);

    private async Task<List<PeerLease?>> TakeMany(int count)
    {
        var taken = new List<PeerLease?>();
        for (var i = 0; i < count; i++)
            taken.Add(await Take());
        return taken;
    }

    private async Task<List<string>> TakeAndReturnAsync(int count)
    {
        var taken = await TakeMany(count);
        taken.ForEach(t => t!.Dispose());
        return [.. taken.Select(t => t!.Endpoint.Host)];
    }

    private async Task AssertTakenAsync(string host, Digest? set = null, params string[] asked)
    {
        // Often enough that chance would have shown another answer.
        for (var i = 0; i < 20; i++)
        {
            using var peer = await Take(set, asked);
            Assert.Equal(host, peer!.Endpoint.Host);
        }
    }

    private sealed class HandTime : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public void Advance(TimeSpan time) => _now += time.Ticks;
    }
}
