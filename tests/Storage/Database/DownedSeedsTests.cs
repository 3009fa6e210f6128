using Elastic.Testing;

namespace Elastic.Storage.Tests;

[Collection(DatabaseCollection.Name)]
public sealed class DownedSeedsTests(Databases databases)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public static TheoryData<DatabaseKind> Kinds => [DatabaseKind.Sqlite, DatabaseKind.Postgres];

    [Theory, MemberData(nameof(Kinds))]
    public async Task Of_two_sides_that_down_each_other_at_once_exactly_one_does(DatabaseKind kind)
    {
        var list = new DownedSeeds(await databases.NewAsync(kind));
        for (var split = 0; split < 20; split++)
        {
            var (a, b) = ($"a#{split}", $"b#{split}");
            var verdicts = await Task.WhenAll(list.DownAsync(a, [b], [], default), list.DownAsync(b, [a], [], default));
            Assert.Single(verdicts, v => v is null);
            Assert.Equal(verdicts[0] is null ? a : null, await list.JudgeOfAsync(b, default));
            Assert.Equal(verdicts[1] is null ? b : null, await list.JudgeOfAsync(a, default));
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task The_loser_has_lost_for_good_and_the_winner_may_repeat_itself(DatabaseKind kind)
    {
        var list = new DownedSeeds(await databases.NewAsync(kind));
        Assert.Null(await list.DownAsync("a#1", ["b#1", "c#1"], [], default));
        Assert.Null(await list.DownAsync("a#1", ["b#1", "c#1"], [], default));
        Assert.Equal("a#1", await list.DownAsync("c#1", ["a#1"], [], default));
        Assert.Null(await list.JudgeOfAsync("a#1", default));
        Assert.Null(await list.DownAsync("c#2", ["d#1"], [], default));                     // the next incarnation is somebody else
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task When_the_winner_dies_right_after_the_next_one_is_not_held_up(DatabaseKind kind)
    {
        var list = new DownedSeeds(await databases.NewAsync(kind));
        Assert.Null(await list.DownAsync("b#1", ["a#1"], [], default));
        Assert.Null(await list.DownAsync("c#1", ["b#1"], [], default));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task The_lease_of_a_seed_whose_process_has_ended_is_free_at_once_unless_the_judge_was_downed(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var list = new DownedSeeds(database);
        await CallAsync("INSERT INTO elastic_leases (name, owner, expires) VALUES ('one', 'a', 1), ('another', 'b', 1)");
        Assert.Null(await list.DownAsync("b#1", ["a#1"], [], default));
        Assert.Equal("b#1", await list.DownAsync("a#1", ["b#1"], ["b"], default));
        Assert.Equal(2L, await CountAsync());
        Assert.Null(await list.DownAsync("b#1", ["a#1"], ["a"], default));
        Assert.Equal(1L, await CountAsync());

        Task<int> CallAsync(string sql) =>
            database.CallAsync(Deadline, (connection, token) => connection.ExecuteAsync(sql, token), default);

        async Task<long> CountAsync() => Convert.ToInt64(await database.CallAsync(
            Deadline, (connection, token) => connection.ScalarAsync("SELECT COUNT(*) FROM elastic_leases", token), default),
            System.Globalization.CultureInfo.InvariantCulture);
    }
}
