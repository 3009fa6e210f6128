using Elastic.Messages;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

[Collection(DatabaseCollection.Name)]
public sealed class BuildListTests(Databases databases)
{
    private static readonly NodeId A = new("a-3k9v2mq7"), B = new("b-3k9v2mq7");

    public static TheoryData<DatabaseKind> Kinds => [DatabaseKind.Sqlite, DatabaseKind.Postgres];

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_build_is_the_seed_s_that_began_it_until_another_one_takes_it_over(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var list = new BuildList(database);
        for (var again = 0; again < 2; again++)
            await list.AddAsync("web-1", A, "/data/web.conf", "sources = [é]", ["corpus.tokenizer=gpt2", "a=\"b\""], "anna", default);
        var stored = Assert.Single(await list.ReadAsync(default));
        Assert.Equal(
            ("web-1", A, "/data/web.conf", "sources = [é]", "anna", BuildState.Running, ""),
            (stored.Build, stored.Seed, stored.Path, stored.Text, stored.Who, stored.State, stored.Note));
        Assert.Equal(["corpus.tokenizer=gpt2", "a=\"b\""], stored.Sets);
        Assert.InRange(stored.StartedAt, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(5));

        Assert.False(await list.TakeOverAsync("web-1", B, A, default));
        Assert.True(await list.TakeOverAsync("web-1", A, B, default));
        await list.EndAsync("web-1", A, BuildState.Failed, "it was away", default);
        Assert.Equal((B, BuildState.Running), (await list.ReadAsync(default)).Select(s => (s.Seed, s.State)).Single());
        await list.EndAsync("web-1", B, BuildState.Done, "/data/corpora/1", default);
        Assert.Equal((BuildState.Done, "/data/corpora/1"), (await list.ReadAsync(default)).Select(s => (s.State, s.Note)).Single());
        Assert.False(await list.TakeOverAsync("web-1", B, A, default));
    }

    [Fact]
    public async Task A_row_of_an_earlier_process_is_read_as_it_was_written()
    {
        var database = await databases.NewAsync(DatabaseKind.Sqlite);
        await JournalTable.ChangeAsync(database, """
            INSERT INTO elastic_builds (build, seed, path, manifest, sets, who, started_at, state, note) VALUES
            ('web-3k9v2mq7', 'seed1-3k9v2mq7', '/data/web.conf', 'stages = []', '["corpus.tokenizer=gpt2"]', 'pbm anna', 1774746000000,
            'stopped', 'stopped; the same build goes on with what was read')
            """);
        var stored = Assert.Single(await new BuildList(database).ReadAsync(default));
        Assert.Equal(
            (new NodeId("seed1-3k9v2mq7"), BuildState.Stopped, DateTimeOffset.FromUnixTimeMilliseconds(1774746000000)),
            (stored.Seed, stored.State, stored.StartedAt));
        Assert.Equal("corpus.tokenizer=gpt2", Assert.Single(stored.Sets));
        await JournalTable.ChangeAsync(database, "UPDATE elastic_builds SET state = 'paused'");
        await Assert.ThrowsAsync<InvalidDataException>(() => new BuildList(database).ReadAsync(default));
    }
}
