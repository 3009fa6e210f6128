using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Pbm;
using Elastic.Messages.Vectors;

namespace Elastic.Pbm.Tests;

/// <summary>What a seed sends is kept as a checkpoint only where it is one.</summary>
public sealed class FetchTests : IDisposable
{
    private static readonly byte[] Chunk = [1, 2, 3, 4];

    private static readonly VectorSet Set = new(new Dictionary<string, VectorManifest>
    {
        [VectorSet.Parameters] = new(1, [Digest.Of(Chunk)]),
        [VectorSet.OuterMomentum] = new(1, [Digest.Of("not sent"u8)]),
    });

    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;

    private string Here => Path.Combine(_folder, "here");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_checkpoint_in_pieces_is_whole_in_the_end()
    {
        using (var files = FetchedCheckpoint.Begin(Here))
        {
            files.Add(new PbmMessage.FilePiece(NameOf(Chunk), Chunk[..3], false));
            files.Add(new PbmMessage.FilePiece(NameOf(Chunk), Chunk[3..], true));
            files.Add(Blob(Set.ToBytes()));
            files.Add(new PbmMessage.FilePiece("tokenizer.json", [], true));
            files.Add(new PbmMessage.FilePiece("tokenizer_config.json", [], true));
            files.Add(new PbmMessage.FilePiece("chat_template.jinja", [], true));
            files.Add(Manifest(Set.Fingerprint.Hex));
            Assert.Equal(
                (Path.Combine(Here, "checkpoints", "round-000003.json"), 2, 4L + Set.ToBytes().Length, Set.Fingerprint.Hex),
                files.Finish());
        }

        Assert.Equal(Chunk, File.ReadAllBytes(Path.Combine(Here, NameOf(Chunk))));
        Assert.True(File.Exists(Path.Combine(Here, "checkpoints", "round-000003.json")));
    }

    [Theory]
    [InlineData("../round-000003.json")]
    [InlineData("/etc/passwd")]
    [InlineData("checkpoints/../../round-000003.json")]
    [InlineData("checkpoints/round-000003.json\n")]
    [InlineData("blobs/aa/aa")]
    [InlineData("notes.txt")]
    public void A_file_of_another_name_is_not_written(string name) => Refused(
        "which is none of a checkpoint", files => files.Add(new PbmMessage.FilePiece(name, [1], true)));

    [Fact]
    public void What_is_missing_or_other_than_it_says_is_no_checkpoint()
    {
        Refused("has arrived with other bytes than its name says", f => f.Add(new PbmMessage.FilePiece(NameOf(Chunk), [1, 2, 3, 5], true)));
        Refused("has not sent a whole checkpoint", f => f.Add(Blob(Chunk)));
        Refused($"lacks the blob {Set.Digest.Short}", f => f.Add(Manifest(Set.Fingerprint.Hex)));
        Refused($"lacks the blob {Digest.Of(Chunk).Short}", f => Add(f, Blob(Set.ToBytes()), Manifest(Set.Fingerprint.Hex)));
        Refused("and the checkpoint says ffffffffffff", f => Add(f, Blob(Chunk), Blob(Set.ToBytes()), Manifest(new string('f', 64))));
        Refused("its manifest has no parameters", f => f.Add(
            new PbmMessage.FilePiece("checkpoints/round-000003.json", "{}"u8.ToArray(), true)));
        Refused("more than one manifest", f => Add(f, Manifest("a"), Manifest("a")));
        Refused("has not sent all of blobs/", f => Add(f, new PbmMessage.FilePiece(NameOf(Chunk), [1], false), Blob(Set.ToBytes())));
        Refused("cannot be written (", f => Add(f, Blob(Chunk), Blob(Chunk)));
    }

    [Fact]
    public void A_folder_that_has_something_is_not_touched()
    {
        File.WriteAllText(Path.Combine(_folder, "mine"), "");
        foreach (var folder in (string[])[_folder, Path.Combine(_folder, "mine")])
            Assert.Contains("is there and not empty", Assert.Throws<PbmException>(() => FetchedCheckpoint.Begin(folder)).Message,
                StringComparison.Ordinal);
        Assert.EndsWith(" is a file): name another place with -o", Assert.Throws<PbmException>(
            () => FetchedCheckpoint.Begin(Path.Combine(_folder, "mine", "below"))).Message, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_folder, "mine")));
    }

    // A lying seed calls an argument of another command a folder.
    [Fact]
    public async Task Files_that_no_command_of_pbm_s_own_asks_for_are_refused()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var running = pbm.RunAsync(seed.Address.ToString(), "animal", "list", "-o", Here);
        await seed.PlayCallAsync(
            (_, stream, _) => stream.WriteAsync(Blob(Chunk), TestDeadline.Token),
            [new("animal", "", [new("list", "", [new("o", "output", "DIR", "", IsNewFolder: true)])])]);
        Assert.Equal(ExitCodes.Unreachable, await running);
        Assert.Contains("is no seed's pbm port", pbm.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Here));
    }

    [Fact]
    public async Task Who_stops_a_fetch_is_told_what_is_there_and_how_to_go_on()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var running = pbm.RunAsync(seed.Address.ToString(), "run", "fetch", "-n", "a", "-o", Here);
        await seed.PlayCallAsync(
            async (_, stream, _) =>
            {
                await stream.WriteAsync(Blob(Chunk), TestDeadline.Token);
                pbm.Interruption.TryCancel();
                Assert.IsType<PbmMessage.Cancel>(await stream.ReadAsync(TestDeadline.Token));
                await stream.WriteAsync(new PbmMessage.End(ExitCodes.Interrupted, ""), TestDeadline.Token);
            },
            [.. OwnCatalogue.Palettes]);
        Assert.Equal(ExitCodes.Interrupted, await running);
        Assert.Equal(
            $"stopped: this command has put nothing into {Here}; the same command fetches it from its beginning\n", pbm.Error);
        Assert.False(Directory.Exists(Here));
    }

    private void Refused(string why, Action<FetchedCheckpoint> add)
    {
        using (var files = FetchedCheckpoint.Begin(Here))
            Assert.Contains(why, Assert.Throws<PbmException>(() =>
            {
                add(files);
                files.Finish();
            }).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Here));
    }

    private static void Add(FetchedCheckpoint files, params PbmMessage.FilePiece[] pieces)
    {
        foreach (var piece in pieces)
            files.Add(piece);
    }

    private static string NameOf(byte[] bytes) => Digest.Of(bytes).Hex is var hex ? $"blobs/{hex[..2]}/{hex}" : "";

    private static PbmMessage.FilePiece Blob(byte[] bytes) => new(NameOf(bytes), bytes, true);

    private static PbmMessage.FilePiece Manifest(string fingerprint) => new("checkpoints/round-000003.json", Encoding.UTF8.GetBytes(
        $$"""{"parameters": "{{Set.Digest.Hex}}", "fingerprint": "{{fingerprint}}"}"""), true);
}
