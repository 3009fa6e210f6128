using Elastic.Actors.Control;
using Elastic.Corpus.Build;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Nodes;

[Collection(DatabaseCollection.Name)]
public sealed class AcknowledgedPiecesTests(Databases databases) : TemporaryFolder
{
    [Theory]
    [InlineData("not JSON")]
    [InlineData("null")]
    [InlineData("""[["a digest of another kind", "and another"]]""")]
    [InlineData("""[["one"]]""")]
    public async Task What_another_version_has_noted_of_a_build_keeps_no_build_from_going_on(string row)
    {
        var database = await databases.NewAsync(DatabaseKind.Sqlite);
        await database.CallAsync(TimeSpan.FromSeconds(30), (connection, cancel) => connection.ExecuteAsync(
            "INSERT INTO elastic_build_pieces (build, number, pieces) VALUES ('web-1', 1, @row)", cancel, ("row", row)), default);
        var said = new List<string>();
        using var pieces = new AcknowledgedPieces(
            "web-1", database, new PieceStore(Path.Combine(Folder, "pieces")), new TokenStore(Path.Combine(Folder, "tokens")),
            new BlobLocations(), said.Add);
        await pieces.GoOnAsync(default);
        Assert.Equal(
            [
                "what was noted of this build cannot be read (a row of elastic_build_pieces does not name pieces as this version does): "
                + "a seed that took over would have it done again",
            ], said);
    }
}
