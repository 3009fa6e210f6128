using Elastic.Corpus.Build;
using Elastic.Foundation;

namespace Elastic.Corpus.Tests.Build.Nodes;

/// <summary>A build of which other machines read pieces.</summary>
public sealed class OtherReadersTests : IDisposable
{
    private const int Files = 6;

    private readonly BuiltFolders _folders = new();

    public OtherReadersTests()
    {
        for (var file = 0; file < Files; file++)
            _folders.Texts(
                $"in/{file}.jsonl", Enumerable.Range(0, 3).Select(i => string.Join(' ', Enumerable.Repeat($"word{file}", 2 + i))));
    }

    private BuildManifest Manifest =>
        Manifests.Of([("in", _folders["in"])], "clean", "gopher-quality words=3,1000 word-length=1,20 least-stop-words=0");

    public void Dispose() => _folders.Dispose();

    [Fact]
    public void Pieces_that_others_have_read_or_have_left_make_the_text_of_one_reader_and_are_asked_for_once()
    {
        var expected = BuiltFolders.FilesOf(_folders.Build(Manifest).Folder);
        var (asked, progress) = (0, new Last());
        var (store, there) = (new PieceStore(_folders["pieces"]), new PieceStore(_folders["there"]));
        BuiltText Build() => new CorpusBuilder(Manifest, store, _folders["texts"])
        {
            Others = (pieces, came, cancel) =>
            {
                asked += pieces.Count;
                foreach (var piece in pieces.Where((_, i) => i % 2 == 0))
                {
                    there.Read(piece, Manifest, cancel);
                    using var pack = new MemoryStream();
                    there.Write(piece, pack);
                    pack.Position = 0;
                    store.TakeIn(piece, Manifest, pack);
                    came(piece);
                }
            },
        }.Run(2, progress, CancellationToken.None);

        Assert.Equal(expected, BuiltFolders.FilesOf(Build().Folder));
        Assert.Equal((Files, Files * 3L), (asked, progress.Value!.Documents));
        Directory.Delete(_folders["texts"], recursive: true);
        Assert.Equal(expected, BuiltFolders.FilesOf(Build().Folder));
        Assert.Equal(Files, asked);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Others_read_while_what_is_here_is_noted_and_where_they_fail_that_ends(bool fails)
    {
        var store = new PieceStore(_folders["pieces"]);
        List<SourcePiece> here = [.. SourcePiece.Of(Manifest, 0, PartSize.Default, []).Take(2)];
        here.ForEach(p => store.Read(p, Manifest, CancellationToken.None));
        using var read = new ManualResetEventSlim();
        var (noted, hasEnded) = (new List<Digest>(), false);
        var builder = new CorpusBuilder(Manifest, store, _folders["texts"])
        {
            Found = (pieces, cancel) =>
            {
                noted.AddRange(pieces.Select(p => p.Identity));
                Assert.Equal(!fails, WaitHandle.WaitAny([read.WaitHandle, cancel.WaitHandle], TimeSpan.FromMinutes(1)) == 0);
                hasEnded = true;
            },
            Others = (pieces, _, _) =>
            {
                Assert.Equal(Files - 2, pieces.Count);
                if (fails)
                    throw new ElasticException("no node has them");
                read.Set();
            },
        };
        if (fails)
            Assert.Equal("no node has them",
                Assert.Throws<ElasticException>(() => builder.Run(1, null, CancellationToken.None)).Message);
        else
            builder.Run(1, null, CancellationToken.None);
        Assert.Equal(here.Select(p => p.Identity), noted);
        Assert.True(hasEnded);
    }

    [Fact]
    public void What_keeps_a_build_from_noting_what_is_here_ends_the_reading_of_others_at_once()
    {
        var store = new PieceStore(_folders["pieces"]);
        store.Read(SourcePiece.Of(Manifest, 0, PartSize.Default, []).First(), Manifest, CancellationToken.None);
        var builder = new CorpusBuilder(Manifest, store, _folders["texts"])
        {
            Found = (_, _) => throw new IOException("the disk cannot read it"),
            Others = (_, _, cancel) =>
            {
                Assert.True(cancel.WaitHandle.WaitOne(TimeSpan.FromMinutes(1)));
                cancel.ThrowIfCancellationRequested();
            },
        };
        Assert.Equal(
            "the disk cannot read it", Assert.Throws<IOException>(() => builder.Run(1, null, CancellationToken.None)).Message);
    }

    [Fact]
    public void A_source_that_is_to_stop_at_rejects_stops_with_the_first_piece_that_comes_with_one()
    {
        File.AppendAllText(Path.Combine(_folders["in"], "0.jsonl"), "{broken\n");
        var manifest = Manifests.OfSources([("name", "in"), ("paths[]", _folders["in"]), ("on-reject", "stop")]);
        var store = new PieceStore(_folders["pieces"]);
        var came = 0;
        var stopped = Assert.Throws<ElasticException>(() => new CorpusBuilder(manifest, store, _folders["texts"])
        {
            Others = (pieces, take, cancel) =>
            {
                foreach (var piece in pieces)
                {
                    store.Read(piece, manifest, cancel);
                    came++;
                    take(piece);
                }
            },
        }.Run(1, null, CancellationToken.None));
        Assert.Contains("its on-reject is stop", stopped.Message, StringComparison.Ordinal);
        Assert.Equal(1, came);
    }

    [Fact]
    public void What_stages_drop_so_far_is_what_they_have_dropped_at_the_end()
    {
        var built = _folders.Build(Manifest);
        var (store, counts) = (new PieceStore(_folders["data-pieces"]), new DropCounts(Manifest));
        foreach (var piece in SourcePiece.Of(Manifest, 0, PartSize.Default, []))
            counts.Add(counts.Count(store.Documents(piece)));
        Assert.Equal(
            built.Report.Dropped.Where(d => d.Documents > 0).Select(d => (d.Name, d.Documents)), counts.All);
        Assert.Equal(("gopher-quality", (long)Files), Assert.Single(counts.All));
    }

    [Fact]
    public void What_nodes_leave_is_read_in_the_phase_that_says_so()
    {
        var store = new PieceStore(_folders["pieces"]);
        store.Read(SourcePiece.Of(Manifest, 0, PartSize.Default, []).First(), Manifest, CancellationToken.None);
        using var nodesAreDone = new ManualResetEventSlim();
        var phases = new Phases(seen =>
        {
            if (seen is [.., BuildWatch.Reads, BuildWatch.Finds])
                nodesAreDone.Set();
        });
        var builder = new CorpusBuilder(Manifest, store, _folders["texts"])
        {
            Found = (_, cancel) => Assert.True(nodesAreDone.Wait(TimeSpan.FromMinutes(1), cancel)),
            Others = (_, _, _) => { },
        };
        builder.Run(1, phases, CancellationToken.None);
        Assert.Equal(
            [BuildWatch.Lists, BuildWatch.Finds, BuildWatch.Reads, BuildWatch.Finds, BuildWatch.Reads, BuildWatch.Writes], phases.Seen);
    }

    private sealed class Phases(Action<List<string>> seen) : IProgress<BuildProgress>
    {
        public List<string> Seen { get; } = [];

        public void Report(BuildProgress value)
        {
            if (Seen.Count > 0 && Seen[^1] == value.Phase)
                return;
            Seen.Add(value.Phase);
            seen(Seen);
        }
    }

    private sealed class Last : IProgress<BuildProgress>
    {
        public BuildProgress? Value { get; private set; }

        public void Report(BuildProgress value) => Value = value;
    }
}
