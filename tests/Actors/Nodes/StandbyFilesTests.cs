using System.Text.Json;
using Elastic.Actors.Control;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>What a seed takes of another seed's build, whose word is not enough.</summary>
public sealed class StandbyFilesTests : TemporaryFolder
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(200);

    [Fact]
    public async Task Files_are_no_larger_than_sources_documents_and_disk_allow()
    {
        var cancel = TestContext.Current.CancellationToken;
        var (manifest, piece) = Source();
        var there = new PieceStore(Path.Combine(Folder, "there"));
        there.Read(piece, manifest, cancel);
        var most = PieceBounds.OfSources(manifest, cancel);
        Assert.InRange(most, piece.Bytes, 1 << 25);
        var (texts, documents) = there.PathsOf(piece.Identity);
        var wrong = Path.Combine(Folder, "wrong");
        await File.WriteAllBytesAsync(wrong, new byte[1 << 16], cancel);

        var blobs = new BlobLocations();
        var names = new[] { texts, documents, wrong }.ToDictionary(path => path, path => Digest.Of(File.ReadAllBytes(path)));
        foreach (var (path, name) in names)
            blobs.Add(name, path);
        await using var server = await DataServer.StartAsync(
            "127.0.0.1", 0, blobs, new LivenessConnections(), Transport.Plain, cancel);
        var peers = new Peers(new TransferLimits { Patience = Patience });
        peers.Set([server.Endpoint]);
        using var fetcher = new BlobFetcher(peers, Transport.Plain);
        StandbyFiles Files(string folder, long sources, long free) =>
            new(fetcher, Path.Combine(Folder, folder), "b-1", sources, () => free);

        var files = Files("here", most, 1L << 40);
        var (here, listed) = await files.PieceAsync(names[texts], names[documents], cancel);
        Assert.Equal(names[texts], Digest.Of(await File.ReadAllBytesAsync(here, cancel)));
        Assert.Equal(names[documents], Digest.Of(await File.ReadAllBytesAsync(listed, cancel)));

        var refused = await Assert.ThrowsAsync<ElasticException>(() => files.PieceAsync(names[wrong], names[documents], cancel));
        Assert.StartsWith(
            $"{Path.Combine(Folder, "here", names[wrong].Hex)} is not fetched for the build b-1, where its documents allow ",
            refused.Message, StringComparison.Ordinal);
        Assert.Contains("has 65536 bytes, more than ", refused.Message, StringComparison.Ordinal);
        refused = await Assert.ThrowsAsync<ElasticException>(
            () => Files("few", 10, 1L << 40).PieceAsync(names[texts], names[documents], cancel));
        Assert.Contains("its sources allow 10 B: ", refused.Message, StringComparison.Ordinal);
        refused = await Assert.ThrowsAsync<ElasticException>(() => Files("full", most, 1000).TokensAsync(names[wrong], cancel));
        Assert.Contains("the free disk allows 125 B: ", refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.Combine(Folder, "full"), names[wrong].Hex));
    }

    private (BuildManifest Manifest, SourcePiece Piece) Source()
    {
        var path = Path.Combine(Folder, "a.jsonl");
        File.WriteAllLines(path, Enumerable.Range(0, 20).Select(i => JsonSerializer.Serialize(new { text = $"a text, number {i}" })));
        var manifest = BuildManifest.Of(
            [
                [
                    new SettingText("source.name", ["a"], IsList: false, "a test"),
                    new SettingText("source.paths", [path], IsList: true, "a test"),
                ],
            ],
            []);
        return (manifest, SourcePiece.Of(manifest, 0, PartSize.Default, []).Single());
    }
}
