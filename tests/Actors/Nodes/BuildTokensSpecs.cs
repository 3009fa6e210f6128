using System.Security.Cryptography;
using Elastic.Actors.Control;
using Elastic.Actors.Corpora;
using Elastic.Actors.Nodes;
using Elastic.Corpus;
using Elastic.Corpus.Build;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>The tokens of a corpus that nodes build are those that one process makes.</summary>
public sealed class BuildTokensSpecs : IDisposable
{
    private const int Made = 4;

    private readonly SmallBuild _build = new();
    private readonly ManualResetEventSlim _goesOn = new();

    public void Dispose()
    {
        _goesOn.Set();
        _build.Dispose();
    }

    [Fact]
    public async Task A_seed_that_takes_over_has_only_those_tokens_made_that_were_not_acknowledged_and_shards_are_those_of_one_process()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var (steps, later, again) = (0, 0, false);
        Dictionary<string, DateTime> kept = [];
        NodeFaults Faults(bool isSecond) => new(BuildStep: step =>
        {
            if (step != ITokenPass.Step)
                return;
            if (isSecond && _goesOn.IsSet)
            {
                Interlocked.Increment(ref later);
                // One that is made again is put in the place of the one that is there.
                if (kept.Any(k => File.Exists(k.Key) && File.GetLastWriteTimeUtc(k.Key) != k.Value))
                    Volatile.Write(ref again, true);
            }
            else if (Interlocked.Increment(ref steps) > Made)
                _goesOn.Wait(deadline.Token);
        });
        var database = $"sqlite:{Path.Combine(_build.Root, "journal.db")}";
        var first = await _build.StartAsync("first", NodeDuty.Seed(), Faults(false), deadline.Token, s => s with { Database = database });
        await using var second = await _build.StartAsync(
            "second", NodeDuty.Seed(), Faults(true), deadline.Token, s => s with { Database = database });
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
        var build = await first.Control.BuildAsync(_build.Plan, Origins.Now("a test"), deadline.Token);
        var standby = new BuildStandby(second, _ => { }).RunAsync(_ => _build.Plan, enough.Token);
        var tokens = second.Paths.TokensOf(build);
        while (!Directory.Exists(tokens) || Directory.GetFiles(tokens, "*.tokens").Length < Made)
            await Task.Delay(20, deadline.Token);
        var now = (await first.Control.BuildsAsync(deadline.Token))[^1].Now!;
        Assert.Equal("makes tokens by nodes", now.Phase);
        await enough.CancelAsync();
        await standby;

        foreach (var file in Directory.GetFiles(tokens, "*.tokens"))
            kept[file] = File.GetLastWriteTimeUtc(file);
        // It goes with the pieces that it has in hand; the other node has some, too.
        await first.DisposeAsync();
        Assert.True(await new BuildList(second.Database!).TakeOverAsync(
            build, first.Context.Facts.Id, second.Context.Facts.Id, deadline.Token));
        Assert.InRange(steps, Made + 1, int.MaxValue);
        _goesOn.Set();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
        var resuming = Task.WhenAll(
            second.Builds.GoOnAsync(_ => _build.Plan, _ => { }, over.Token), second.Builds.StandByAsync(_ => _build.Plan, over.Token));
        Assert.Equal(BuildState.Done, (await SmallBuild.WatchAsync(second, build, deadline.Token)).State);
        await over.CancelAsync();
        await resuming;

        var text = BuiltText.TryOpen(Assert.Single(Directory.GetDirectories(second.Paths.Texts)))!;
        var files = CorpusSources.Resolve([text.TextFolder]);
        var pieces = DocumentBatches.Read(
            files, new ReadStatistics(), DocumentPiece.CharactersOf(files.Sum(f => f.Length)), inTurn: false, deadline.Token).Count();
        Assert.InRange(pieces, 2 * Made, 64);
        // Of the first seed's some may have waited for a core here.
        Assert.InRange(later, pieces - Made, 2 * pieces - Made - 1);
        Assert.False(again);
        Assert.False(Directory.Exists(tokens));

        var byNodes = Shards(second);
        Directory.Delete(second.Paths.Corpora, recursive: true);
        await second.BuildCorpusAsync(DefaultMixture.Apply(text.CorpusOf(_build.Plan.Corpus)), null, deadline.Token);
        Assert.Contains(byNodes, f => f.Name.EndsWith(".tokens", StringComparison.Ordinal));
        Assert.Equal(Shards(second), byNodes.Where(f => !f.Name.EndsWith(".parquet", StringComparison.Ordinal)));
    }

    private static List<(string Name, string Hash)> Shards(ElasticNode node) =>
    [
        .. Directory.GetFiles(node.Paths.Corpora, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(f => (
                Path.GetRelativePath(node.Paths.Corpora, f), Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(f))))),
    ];
}
