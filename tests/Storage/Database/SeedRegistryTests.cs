using Elastic.Testing;

namespace Elastic.Storage.Tests;

[Collection(DatabaseCollection.Name)]
public sealed class SeedRegistryTests(Databases databases)
{
    public static TheoryData<DatabaseKind> Kinds => [DatabaseKind.Sqlite, DatabaseKind.Postgres];

    [Theory, MemberData(nameof(Kinds))]
    public async Task Of_seeds_that_start_at_once_exactly_one_forms_the_cluster(DatabaseKind kind)
    {
        var registry = new SeedRegistry(await databases.NewAsync(kind));
        string[] seeds = ["10.0.0.1:4053", "10.0.0.2:4053", "10.0.0.3:4053"];
        var formed = await Task.WhenAll(seeds.Select(s => registry.TryFormAsync(s, default)));
        var first = seeds[Array.IndexOf(formed, true)];
        Assert.Single(formed, f => f);
        foreach (var other in seeds.Where(s => s != first))
            Assert.Equal([first], await registry.OthersAsync(other, default));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_seed_that_starts_again_at_its_address_does_not_wait_for_itself(DatabaseKind kind)
    {
        var registry = new SeedRegistry(await databases.NewAsync(kind));
        Assert.True(await registry.TryFormAsync("a:1", default));
        Assert.Empty(await registry.OthersAsync("a:1", default));
        Assert.True(await registry.TryFormAsync("a:1", default));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_seed_that_left_or_fell_silent_is_not_believed_to_be_up(DatabaseKind kind)
    {
        var registry = new SeedRegistry(await databases.NewAsync(kind));
        await registry.BeatAsync("a:1", default);
        await registry.BeatAsync("b:1", default);
        await registry.LeaveAsync("b:1", default);
        Assert.Equal(["a:1"], await registry.OthersAsync("c:1", default));
        Assert.False(await registry.TryFormAsync("c:1", default));

        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!await registry.TryFormAsync("c:1", deadline.Token))
            await Task.Delay(100, deadline.Token);                       // "a" says nothing any more
        Assert.Empty(await registry.OthersAsync("c:1", default));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_seed_on_its_way_in_or_out_is_known_as_a_seed_and_not_believed_to_be_up(DatabaseKind kind)
    {
        var registry = new SeedRegistry(await databases.NewAsync(kind));
        await registry.BeatAsync("leaves:1", default);
        await registry.LeaveAsync("leaves:1", default);
        await registry.AnnounceAsync("joins:1", default);
        Assert.Equal(["joins:1", "leaves:1"], await registry.EnteredAsync("c:1", default));
        Assert.Empty(await registry.RecentAsync("c:1", default));
        Assert.Empty(await registry.OthersAsync("c:1", default));
        await registry.BeatAsync("joins:1", default);
        Assert.Equal(["joins:1"], await registry.OthersAsync("c:1", default));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task Once_the_database_s_clock_was_set_back_a_seed_that_died_before_is_not_taken_for_live(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var registry = new SeedRegistry(database);
        await registry.BeatAsync("dead:1", default);
        await registry.BeatAsync("live:1", default);
        await database.CallAsync(TimeSpan.FromSeconds(30), (connection, token) =>
            connection.ExecuteAsync("UPDATE elastic_seeds SET seen = seen + 3600000", token), default);
        await registry.BeatAsync("live:1", default);
        Assert.Equal(["live:1"], await registry.OthersAsync("c:1", default));
        Assert.Equal(["live:1"], await registry.RecentAsync("c:1", default));
        await registry.LeaveAsync("live:1", default);
        Assert.True(await registry.TryFormAsync("c:1", default));
    }
}
