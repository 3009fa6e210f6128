using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

[Collection(DatabaseCollection.Name)]
public sealed class CommitFenceTests(Databases databases)
{
    private static readonly RunId Run = new("run");

    public static TheoryData<DatabaseKind> Kinds => [DatabaseKind.Sqlite, DatabaseKind.Postgres];

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_supervisor_that_was_replaced_cannot_commit(DatabaseKind kind)
    {
        var fence = new CommitFence(await databases.NewAsync(kind));
        var old = await fence.BeginTermAsync(Run, 0, default);
        Assert.True(await fence.CommitAsync(Run, old, 0, Version(1), default));
        var current = await fence.BeginTermAsync(Run, 1, default);
        Assert.True(current > old);
        Assert.False(await fence.CommitAsync(Run, old, 1, Version(2), default));
        Assert.False(await fence.CommitAsync(Run, old, 0, Version(1), default));
        Assert.True(await fence.CommitAsync(Run, current, 1, Version(2), default));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task Only_the_open_round_is_committed_and_its_repetition_is_harmless(DatabaseKind kind)
    {
        var fence = new CommitFence(await databases.NewAsync(kind));
        Assert.False(await fence.CommitAsync(Run, 1, 0, Version(1), default));           // no term has begun
        var term = await fence.BeginTermAsync(Run, 5, default);
        Assert.False(await fence.CommitAsync(Run, term, 4, Version(4), default));
        Assert.False(await fence.CommitAsync(Run, term, 6, Version(6), default));
        Assert.True(await fence.CommitAsync(Run, term, 5, Version(5), default));
        Assert.True(await fence.CommitAsync(Run, term, 5, Version(5), default));
        Assert.False(await fence.CommitAsync(Run, term, 5, Version(99), default));
        Assert.True(await fence.CommitAsync(Run, term, 6, Version(6), default));
        Assert.False(await fence.CommitAsync(Run, term, 5, Version(5), default));
        Assert.Equal(1, await fence.BeginTermAsync(new RunId("another"), 0, default));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_commit_that_did_not_reach_the_journal_is_done_again_in_the_next_term(DatabaseKind kind)
    {
        var fence = new CommitFence(await databases.NewAsync(kind));
        var old = await fence.BeginTermAsync(Run, 0, default);
        Assert.True(await fence.CommitAsync(Run, old, 0, Version(1), default));
        var current = await fence.BeginTermAsync(Run, 0, default);
        Assert.True(await fence.CommitAsync(Run, current, 0, Version(1), default));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_term_may_begin_at_an_older_round_where_the_run_was_rolled_back(DatabaseKind kind)
    {
        var fence = new CommitFence(await databases.NewAsync(kind));
        var before = await fence.BeginTermAsync(Run, 7, default);
        var after = await fence.BeginTermAsync(Run, 3, default);
        Assert.False(await fence.CommitAsync(Run, before, 7, Version(7), default));
        Assert.False(await fence.CommitAsync(Run, after, 7, Version(7), default));
        Assert.True(await fence.CommitAsync(Run, after, 3, Version(3), default));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task Of_racing_supervisors_only_the_newest_commits(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        for (var round = 0; round < 10; round++)
        {
            var terms = await Task.WhenAll(
                Enumerable.Range(0, 4).Select(_ => new CommitFence(database).BeginTermAsync(Run, round, default)));
            Assert.Equal(terms.Length, terms.Distinct().Count());
            var committed = await Task.WhenAll(
                terms.Select((term, who) => new CommitFence(database).CommitAsync(Run, term, round, Version(who), default)));
            Assert.Equal(terms.Select(t => t == terms.Max()), committed);
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task Once_a_takeover_is_answered_the_old_supervisor_commits_no_more_however_close_the_race(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var fence = new CommitFence(database);
        for (var round = 0; round < 20; round++)
        {
            var old = await fence.BeginTermAsync(Run, round, default);
            var racing = fence.CommitAsync(Run, old, round, Version(1), default);
            var current = await fence.BeginTermAsync(Run, round, default);
            Assert.True(await fence.CommitAsync(Run, current, round, Version(2), default));
            await racing;                                                       // either way: it was before the takeover, or it was refused
            Assert.False(await fence.CommitAsync(Run, old, round, Version(1), default));
            Assert.True(await fence.CommitAsync(Run, current, round, Version(2), default));
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task An_event_of_which_the_one_before_is_not_there_any_more_is_refused(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var fence = new CommitFence(database);
        await JournalTable.WriteAsync(database, Run, [Event, Event, Event]);
        Assert.True(await fence.HoldsAsync(Run, 3, default));
        await JournalTable.ChangeAsync(database, "DELETE FROM journal WHERE sequence_number = 3");
        Assert.False(await fence.HoldsAsync(Run, 3, default));
        Assert.True(await fence.HoldsAsync(Run, 2, default));

        var refused = await Assert.ThrowsAnyAsync<System.Data.Common.DbException>(
            () => JournalTable.WriteAsync(database, Run, [Event], after: 3));
        Assert.Contains(DatabaseTables.GapRefused, refused.Message, StringComparison.Ordinal);
        await JournalTable.WriteAsync(database, Run, [Event], after: 2);
    }

    [Fact]
    public async Task A_file_that_took_the_place_of_the_open_one_is_noticed_and_used_from_then_on()
    {
        var database = await databases.NewAsync(DatabaseKind.Sqlite);
        var fence = new CommitFence(database);
        var path = new Microsoft.Data.Sqlite.SqliteConnectionStringBuilder(database.ConnectionString).DataSource;
        await JournalTable.WriteAsync(database, Run, [Event]);
        await database.CallAsync(TimeSpan.FromSeconds(30), (c, cancel) => c.ExecuteAsync($"VACUUM INTO '{path}.copy'", cancel), default);
        await JournalTable.WriteAsync(database, Run, [Event], after: 1);
        File.Delete($"{path}-wal");
        File.Delete($"{path}-shm");
        File.Move($"{path}.copy", path, overwrite: true);

        Assert.Equal(2L, await CountAsync());                                    // the connection that is open has the file that is gone
        Assert.False(await fence.HoldsAsync(Run, 2, default));
        Assert.Equal(1L, await CountAsync());
        Assert.True(await fence.HoldsAsync(Run, 1, default));

        Task<object?> CountAsync() => database.CallAsync(
            TimeSpan.FromSeconds(30), (c, cancel) => c.ScalarAsync("SELECT COUNT(*) FROM journal", cancel), default);
    }

    private static RunEvent Event => new RunEvent.CorpusPublished(Run, Version(0));

    private static Digest Version(int n) => Digest.Of([(byte)n]);
}
