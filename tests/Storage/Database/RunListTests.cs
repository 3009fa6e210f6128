using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

[Collection(DatabaseCollection.Name)]
public sealed class RunListTests(Databases databases)
{
    private static readonly Origin By = new("3k9v2mq7", "somebody", DateTimeOffset.UnixEpoch);

    public static TheoryData<DatabaseKind> Kinds => [DatabaseKind.Sqlite, DatabaseKind.Postgres];

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_run_is_listed_once_it_has_an_event_whatever_was_entered_before_a_crash(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var list = new RunList(database);
        await list.AddAsync(new RunId("a"), "first", default);
        await list.AddAsync(new RunId("b"), "second", default);
        Assert.Empty(await list.ReadAsync(default));

        await JournalTable.WriteAsync(database, new RunId("b"), [new RunEvent.RunPaused(new RunId("b"), By)]);
        var listed = Assert.Single(await list.ReadAsync(default));
        Assert.Equal((new RunId("b"), "second"), (listed.Run, listed.Name));
        Assert.InRange(listed.StartedAt, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(5));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_run_that_is_entered_again_stays_as_it_was(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var list = new RunList(database);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => list.AddAsync(new RunId("a"), "first", default)));
        await JournalTable.WriteAsync(
            database, new RunId("a"), [new RunEvent.RunPaused(new RunId("a"), By), new RunEvent.RunResumed(new RunId("a"), By)]);
        var before = await list.ReadAsync(default);
        await list.AddAsync(new RunId("a"), "other", default);
        Assert.Equal(before, await list.ReadAsync(default));
    }

    // As seeds do of which one does not know yet that another one supervises the runs by now.
    [Theory, MemberData(nameof(Kinds))]
    public async Task Of_several_runs_that_are_entered_under_one_name_at_once_all_askers_get_the_same_one(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var list = new RunList(database);
        var entered = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => list.AddAsync(new RunId($"tiny-{i}"), "tiny", default)));
        var run = Assert.Single(entered.Distinct());
        Assert.Equal(new RunId("b"), await list.AddAsync(new RunId("b"), "other", default));

        await JournalTable.WriteAsync(database, run, [new RunEvent.RunPaused(run, By)]);
        Assert.Equal(run, Assert.Single(await list.ReadAsync(default)).Run);
        await list.RemoveAsync(run, default);
        Assert.Equal(new RunId("tiny-9"), await list.AddAsync(new RunId("tiny-9"), "tiny", default));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_run_that_an_older_version_recorded_is_listed_although_it_was_never_entered(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        await JournalTable.WriteAsync(
            database, new RunId("old"), [new RunEvent.RunPaused(new RunId("old"), By), new RunEvent.RunResumed(new RunId("old"), By)]);
        await JournalTable.ChangeAsync(database, "UPDATE journal SET identifier = 4053");
        Assert.Equal(new RunId("old"), Assert.Single(await new RunList(database).ReadAsync(default)).Run);
    }
}
