using Elastic.Foundation;
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

    [Theory, MemberData(nameof(Kinds))]
    public async Task Pieces_of_a_build_are_read_in_the_order_in_which_they_were_noted_until_it_is_over(DatabaseKind kind)
    {
        var database = await databases.NewAsync(kind);
        var (list, pieces) = (new BuildList(database), new BuildPieces(database));
        StoredPiece Piece(byte number) => new(Digest.Of([number]), Digest.Of([number, 1]), Digest.Of([number, 2]));
        foreach (var build in new[] { "web-1", "web-2" })
            await list.AddAsync(build, A, "/data/web.conf", "", [], "anna", default);
        await pieces.AddAsync("web-1", [Piece(1), Piece(2)], default);
        await pieces.AddAsync("web-2", [Piece(3)], default);
        // Tokens have no documents.
        await pieces.AddAsync("web-1", [Piece(4) with { Documents = null }], default);
        var rows = await pieces.ReadAsync("web-1", 0, default);
        Assert.Equal([Piece(1), Piece(2), Piece(4) with { Documents = null }], rows.SelectMany(r => r.Pieces));
        Assert.Equal(
            [Piece(4) with { Documents = null }],
            (await pieces.ReadAsync("web-1", rows[0].Number, default)).SelectMany(r => r.Pieces));

        await list.TakeOverAsync("web-1", A, B, default);
        await list.EndAsync("web-1", A, BuildState.Failed, "it was away", default);
        Assert.NotEmpty(await pieces.ReadAsync("web-1", 0, default));
        await list.EndAsync("web-1", B, BuildState.Done, "", default);
        Assert.Empty(await pieces.ReadAsync("web-1", 0, default));
        Assert.NotEmpty(await pieces.ReadAsync("web-2", 0, default));
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
