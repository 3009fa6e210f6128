using Elastic.Actors.Control;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Messages.Settings;
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

    // A build that was stopped and given again has a new name: what its seed has read already is what another one would lack.
    [Fact]
    public async Task What_was_read_before_a_build_began_is_noted_once_and_given_to_others()
    {
        var cancel = TestContext.Current.CancellationToken;
        var database = await databases.NewAsync(DatabaseKind.Sqlite);
        Directory.CreateDirectory(Path.Combine(Folder, "in"));
        foreach (var name in new[] { "a", "b" })
            await File.WriteAllTextAsync(Path.Combine(Folder, "in", $"{name}.txt"), name, cancel);
        var manifest = BuildManifest.Of(
            [
                [
                    new SettingText("source.name", ["in"], IsList: false, "a test"),
                    new SettingText("source.paths", [Path.Combine(Folder, "in")], IsList: true, "a test"),
                ],
            ],
            []);
        var store = new PieceStore(Path.Combine(Folder, "pieces"));
        var read = SourcePiece.Of(manifest, 0, PartSize.Default, [], cancel: cancel).ToList();
        read.ForEach(p => store.Read(p, manifest, cancel));
        var (blobs, rows) = (new BlobLocations(), new BuildPieces(database));
        for (var start = 0; start < 2; start++)
        {
            using var pieces = new AcknowledgedPieces(
                "in-1", database, store, new TokenStore(Path.Combine(Folder, "tokens")), blobs, _ => { });
            await pieces.GoOnAsync(cancel);
            await pieces.AddFoundAsync(read, cancel);
            var row = Assert.Single(await rows.ReadAsync("in-1", 0, cancel));
            Assert.Equal(read.Select(p => p.Identity), row.Pieces.Select(p => p.Piece));
            foreach (var piece in row.Pieces)
            {
                Assert.NotNull(await blobs.FindAsync(piece.File, cancel));
                Assert.NotNull(await blobs.FindAsync(piece.Documents!.Value, cancel));
            }
        }
    }
}
