using System.Data.Common;
using Akka.Actor;
using Elastic.Actors.Nodes;
using Elastic.Corpus.Build;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>
/// On a seed that could take over the builds of others: fetches what was read for them while they go on, so that it need not be read again
/// where their seed is lost.
/// </summary>
internal sealed class BuildStandby(ElasticNode node)
{
    // A seed that is lost has read little in between.
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LookForBuilds = TimeSpan.FromSeconds(15);

    private const int FetchedAtOnce = 4;

    // Texts are packed; a file of that many is no piece of a corpus.
    private const long MostBytes = 1L << 42;

    private readonly Dictionary<string, (bool CanTakeOver, long Last)> _builds = [];

    /// <summary>Follows all builds of other seeds, until it is cancelled.</summary>
    /// <param name="plan">Makes a plan of what was stored; throws where its files are not on this machine.</param>
    public async Task RunAsync(Func<StoredBuild, BuildPlan> plan, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            var follows = false;
            try
            {
                var builds = (await new BuildList(node.Database!).ReadAsync(cancel))
                    .Where(b => b.State == BuildState.Running && b.Seed != node.Context.Facts.Id).ToList();
                foreach (var gone in _builds.Keys.Except(builds.Select(b => b.Build)).ToList())
                    _builds.Remove(gone);
                foreach (var build in builds)
                    follows |= await FollowAsync(build, plan, cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is DbException or TimeoutException or ElasticException or HttpRequestException
                or IOException)
            {
                // The database, the supervisors or the other seed are away, or the disk is full: it is tried again.
            }
            await Task.Delay(follows ? Look : LookForBuilds, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // False where this seed could not go on with the build.
    private async Task<bool> FollowAsync(StoredBuild build, Func<StoredBuild, BuildPlan> plan, CancellationToken cancel)
    {
        if (!_builds.TryGetValue(build.Build, out var known))
            _builds[build.Build] = known = (await Task.Run(() => CanPlan(build, plan), cancel), 0);
        if (!known.CanTakeOver)
            return false;
        // A seed that is gone gives nothing: this one, or another one, takes over.
        if ((await node.Control.Nodes(cancel)).FirstOrDefault(n => n.Node == build.Seed) is not { } seed)
            return true;
        var store = new PieceStore(node.Paths.Pieces);
        foreach (var (number, pieces) in await new BuildPieces(node.Database!).ReadAsync(build.Build, known.Last, cancel))
        {
            node.Agent.Tell(new NodeAgent.FetchFrom([seed.Endpoint]));
            await Parallel.ForEachAsync(
                pieces.Where(p => !store.Has(p.Piece)),
                new ParallelOptions { MaxDegreeOfParallelism = FetchedAtOnce, CancellationToken = cancel },
                async (piece, stop) => store.TakeIn(
                    piece.Piece, await FetchAsync(build, piece.Texts, stop), await FetchAsync(build, piece.Documents, stop)));
            _builds[build.Build] = (true, number);
        }
        return true;
    }

    private async Task<string> FetchAsync(StoredBuild build, Digest file, CancellationToken cancel)
    {
        var folder = Directory.CreateDirectory(Path.Combine(node.Paths.Builds, $"{build.Build}.standby")).FullName;
        var path = Path.Combine(folder, file.Hex);
        await node.Context.Fetcher.FetchFileAsync(file, path, MostBytes, cancel);
        return path;
    }

    private static bool CanPlan(StoredBuild build, Func<StoredBuild, BuildPlan> plan)
    {
        try
        {
            plan(build);
            return true;
        }
        catch (ElasticException)
        {
            return false;                                              // its files are not here
        }
    }
}
