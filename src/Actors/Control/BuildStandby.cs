using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>
/// Fetches, on a seed that could take over the builds of others, what was read for them, and the tokens that were made, while they go on,
/// so that it need not be done again where their seed is lost. Removes the tokens of builds that are over.
/// </summary>
/// <param name="tell">Is told what keeps it from fetching for a while.</param>
internal sealed class BuildStandby(ElasticNode node, Action<string> tell)
{
    // A seed that is lost has read little in between.
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LookForBuilds = TimeSpan.FromSeconds(15);

    private readonly Dictionary<string, Followed> _builds = [];

    /// <summary>Follows all builds of other seeds, until it is cancelled.</summary>
    /// <param name="plan">Makes a plan of what was stored; throws where its files are not on this machine.</param>
    public async Task RunAsync(Func<StoredBuild, BuildPlan> plan, CancellationToken cancel)
    {
        var failures = new PassingFailures(tell);
        while (!cancel.IsCancellationRequested)
        {
            var follows = false;
            try
            {
                string[] tokens = Directory.Exists(node.Paths.Tokens) ? Directory.GetDirectories(node.Paths.Tokens) : [];
                var running = (await new BuildList(node.Database!).ReadAsync(cancel)).Where(b => b.State == BuildState.Running).ToList();
                foreach (var over in tokens.Where(folder => running.All(b => b.Build != Path.GetFileName(folder))))
                    TryRemove(over);
                var builds = running.Where(b => b.Seed != node.Context.Facts.Id).ToList();
                foreach (var gone in _builds.Keys.Except(builds.Select(b => b.Build)).ToList())
                    _builds.Remove(gone);
                var problem = (Exception?)null;
                foreach (var build in builds)
                {
                    try
                    {
                        follows |= await FollowAsync(build, plan, cancel);
                    }
                    catch (Exception e) when (PassingFailures.MayPass(e) && !cancel.IsCancellationRequested)
                    {
                        problem ??= e;                                 // the others are followed all the same
                    }
                }
                if (problem is null)
                    failures.End();
                else
                    failures.Meet(problem);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (PassingFailures.MayPass(e))
            {
                failures.Meet(e);
            }
            await Task.Delay(follows ? Look : LookForBuilds, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // False where this seed could not go on with the build.
    private async Task<bool> FollowAsync(StoredBuild build, Func<StoredBuild, BuildPlan> plan, CancellationToken cancel)
    {
        if (!_builds.TryGetValue(build.Build, out var known))
            _builds[build.Build] = known = new Followed(await Task.Run(() => FilesOf(build, plan, cancel), cancel), 0);
        if (known.Files is not { } files)
            return false;
        // A seed that is gone gives nothing: this one, or another one, takes over.
        if ((await node.Control.NodesAsync(cancel)).FirstOrDefault(n => n.Node == build.Seed) is not { } seed)
            return true;
        var (store, tokens) = (new PieceStore(node.Paths.Pieces), new TokenStore(node.Paths.TokensOf(build.Build)));
        foreach (var (number, pieces) in await new BuildPieces(node.Database!).ReadAsync(build.Build, known.Last, cancel))
        {
            node.Agent.Tell(new NodeAgent.FetchFrom([seed.Endpoint]));
            await Parallel.ForEachAsync(
                pieces.Where(p => p.Documents is null ? !tokens.Has(p.Piece) : !store.Has(p.Piece)),
                new ParallelOptions { MaxDegreeOfParallelism = StandbyFiles.AtOnce, CancellationToken = cancel },
                async (piece, stop) =>
                {
                    if (piece.Documents is { } documents)
                    {
                        var (texts, listed) = await files.PieceAsync(piece.File, documents, stop);
                        store.TakeIn(piece.Piece, texts, listed);
                    }
                    else
                    {
                        tokens.TakeIn(piece.Piece, await files.TokensAsync(piece.File, stop));
                    }
                });
            _builds[build.Build] = known with { Last = number };
        }
        return true;
    }

    private static void TryRemove(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is tried again in the next round.
        }
    }

    private StandbyFiles? FilesOf(StoredBuild build, Func<StoredBuild, BuildPlan> plan, CancellationToken cancel)
    {
        try
        {
            var folder = Path.Combine(node.Paths.Builds, $"{build.Build}.standby");
            return new StandbyFiles(
                node.Context.Fetcher, folder, build.Build, PieceBounds.OfSources(plan(build).Manifest, cancel),
                () => DiskSpace.FreeBytes(node.Paths.Root));
        }
        catch (ElasticException)
        {
            return null;                                               // its files are not here
        }
    }

    /// <summary>A build of another seed.</summary>
    /// <param name="Files">Fetches its files; null where this seed could not go on with it.</param>
    /// <param name="Last">The last row of its pieces that is here.</param>
    private sealed record Followed(StandbyFiles? Files, long Last);
}
