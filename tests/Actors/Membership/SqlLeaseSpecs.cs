using Akka.Actor;
using Akka.Configuration;
using Akka.Coordination;
using Elastic.Actors.Hosting;
using Elastic.Actors.Membership;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Database;

[Collection(DatabaseCollection.Name)]
public sealed class SqlLeaseSpecs(Databases databases) : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    // Times to live. The short one is for what is waited for; no owner that is at work has to be in time for it on a busy machine. The long
    // one is waited for, too, and its owner has to be in time.
    private const int Short = 1500, Long = 6000, VeryLong = 60_000;

    private readonly List<ActorSystem> _systems = [];

    public static TheoryData<DatabaseKind> Kinds => [DatabaseKind.Sqlite, DatabaseKind.Postgres];

    [Theory, MemberData(nameof(Kinds))]
    public async Task Of_many_that_want_it_at_once_one_gets_it(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var leases = Enumerable.Range(0, 4).Select(n => Lease(database, $"owner{n}")).ToList();
        var got = await Task.WhenAll(leases.Select(l => l.Acquire()));
        Assert.Single(got, g => g);
        Assert.Equal(got, leases.Select(l => l.CheckLease()));
        Assert.True(await Lease(database, "owner0", name: "another").Acquire());
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task It_is_kept_beyond_its_time_to_live_and_free_once_released(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var (held, other) = (Lease(database, "a", life: Long), Lease(database, "b", life: Long));
        Assert.True(await held.Acquire());
        var first = await ExpiresAsync(database);
        await UntilAsync(async () => await ExpiresAsync(database) > first + 1.5 * Long);        // renewed for longer than it lives
        Assert.True(held.CheckLease());
        Assert.False(await other.Acquire());
        Assert.False(await other.Release());
        Assert.True(await held.Release());
        Assert.False(held.CheckLease());
        Assert.True(await other.Acquire());
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task It_is_free_a_time_to_live_after_its_owners_death_and_no_sooner(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var dying = System();
        Assert.True(await Lease(database, "a", system: dying, life: Short).Acquire());
        ((ExtendedActorSystem)dying).Abort();
        await dying.WhenTerminated.WaitAsync(Deadline);
        var expires = await ExpiresAsync(database);
        var heir = Lease(database, "b", life: Short);
        await UntilAsync(heir.Acquire);
        Assert.True(await ExpiresAsync(database) >= expires + Short);        // taken when the old one had run out, by the database's clock
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task It_is_free_where_the_database_s_clock_was_set_back_an_hour_after_its_owner_died(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        await using (var connection = await database.OpenAsync(default))
        {
            var soon = $"INSERT INTO elastic_leases (name, owner, expires) VALUES ('lease', 'dead', {database.Now()} + {VeryLong})";
            await connection.ExecuteAsync(soon, default);
            Assert.False(await Lease(database, "b", life: VeryLong).Acquire());
            await connection.ExecuteAsync("UPDATE elastic_leases SET expires = expires + 3600000", default);
        }

        Assert.True(await Lease(database, "b", life: VeryLong).Acquire());
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task The_expiry_is_the_databases_time_not_the_machines(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        Assert.True(await Lease(database, "a").Acquire());
        await using var connection = await database.OpenAsync(default);
        var left = (long)(await connection.ScalarAsync($"SELECT expires - {database.Now()} FROM elastic_leases", default))!;
        Assert.InRange(left, 0, VeryLong);
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task An_owner_that_was_replaced_is_told_and_lets_go(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var held = Lease(database, "a");
        var lost = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        Assert.True(await held.Acquire(lost.SetResult));
        await using (var connection = await database.OpenAsync(default))
            await connection.ExecuteAsync("UPDATE elastic_leases SET owner = 'b'", default);
        Assert.IsType<LeaseException>(await lost.Task.WaitAsync(Deadline));
        Assert.False(held.CheckLease());
    }

    [Fact]
    public async Task An_owner_that_is_cut_off_from_the_database_lets_go_before_another_can_have_it()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        var database = DatabaseAddress.Parse(postgres.Url, "/");
        await database.PrepareAsync(Assert.Fail, default);
        var held = Lease(database, "a", life: Short);
        var lost = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        Assert.True(await held.Acquire(lost.SetResult));
        await postgres.StopAsync();
        Assert.IsType<LeaseException>(await lost.Task.WaitAsync(Deadline));
        Assert.False(held.CheckLease());
        await Assert.ThrowsAsync<LeaseException>(held.Acquire);
        await postgres.StartAsync();
        await UntilAsync(async () => await Lease(database, "b").Acquire());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var system in _systems)
            await system.Terminate();
    }

    private ActorSystem System()
    {
        var system = ActorSystem.Create("lease", "akka.loglevel = OFF\nakka.stdout-loglevel = OFF");
        _systems.Add(system);
        return system;
    }

    private SqlLease Lease(
        DatabaseAddress database, string owner, string name = "lease", ActorSystem? system = null, int life = VeryLong) => new(
        LeaseSettings.Create(ConfigurationFactory.ParseString($"""
            heartbeat-timeout = {life}ms
            heartbeat-interval = 300ms
            lease-operation-timeout = 4s
            {database.Keys()}
            """), name, owner),
        (ExtendedActorSystem)(system ?? System()));

    private static async Task<long> ExpiresAsync(DatabaseAddress database)
    {
        await using var connection = await database.OpenAsync(default);
        return (long)(await connection.ScalarAsync("SELECT expires FROM elastic_leases WHERE name = 'lease'", default))!;
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (!await condition())
            await Task.Delay(50, deadline.Token);
    }
}
