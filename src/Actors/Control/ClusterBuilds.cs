using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Akka.Event;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Control;

/// <summary>
/// The builds of corpora by nodes, on the seed that was asked for them: one at a time. The database has each, so that it goes on when the
/// seed is back, or on another seed that has its files. Thread-safe.
/// </summary>
internal sealed class ClusterBuilds(ElasticNode node) : IAsyncDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    // A seed that starts again is back sooner.
    private static readonly TimeSpan BetweenRounds = TimeSpan.FromSeconds(15);
    private const int RoundsUntilGone = 4;

    private const string WasStopped = "stopped; the same build goes on with what was read";

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _ended = new();
    // Builds that a person has stopped, and of which the database, which was away, does not know it yet.
    private readonly HashSet<string> _stopped = [];
    private RunningBuild? _build;
    private (string Build, Digest Corpus)? _last;
    // Why the database does not know how the build ended; null where it does, or the build goes on.
    private Task<string?> _work = Task.FromResult<string?>(null);

    /// <summary>Begins a build, or finds the one of this manifest that is under way here.</summary>
    /// <returns>Its name.</returns>
    /// <exception cref="ElasticException">This seed builds another corpus, or the database cannot be reached.</exception>
    public async Task<string> StartAsync(BuildPlan plan, Origin origin, CancellationToken cancel)
    {
        if (UnderWay(plan) is { } known)
            return known;
        // It may wait for this process to go on with it.
        var stored = (await StoredAsync(list => list.ReadAsync(cancel))).FirstOrDefault(b => b.State == BuildState.Running
            && b.Seed == Self && b.Path == plan.Path && b.Text == plan.Text && b.Sets.SequenceEqual(plan.Sets));
        var build = stored?.Build ?? $"{Identifier.Label(Path.GetFileNameWithoutExtension(plan.Path), "corpus")}-"
            + Identifier.Drawn(RandomNumberGenerator.GetBytes(Identifier.DrawnBytes));
        await StoredAsync(async list =>
        {
            await list.AddAsync(build, Self, plan.Path, plan.Text, plan.Sets, origin.Who, cancel);
            return true;
        });
        if (Begin(build, plan, origin) || IsUnderWay(build))
            return build;
        await EndAsync(build, Self, BuildState.Failed, "another build was begun at the same time", cancel);
        return UnderWay(plan) ?? throw new ElasticException("this seed is leaving: ask another one");
    }

    /// <summary>All builds, the oldest first.</summary>
    public async Task<IReadOnlyList<BuildStatus>> ListAsync(CancellationToken cancel)
    {
        var stored = await StoredAsync(list => list.ReadAsync(cancel));
        lock (_gate)
            return [.. stored.Select(s => new BuildStatus(s.Build, s.Path, s.Seed, s.Who, s.StartedAt, s.State, s.Note)
            {
                Now = _build?.Build == s.Build ? _build.Sight : null,
                Corpus = _last?.Build == s.Build ? _last.Value.Corpus : null,
            })];
    }

    /// <summary>How far a build is, once a second until it is over: then once more.</summary>
    public async IAsyncEnumerable<BuildStatus> WatchAsync(string build, [EnumeratorCancellation] CancellationToken cancel)
    {
        var status = await FindAsync(build, cancel);
        while (true)
        {
            yield return status;
            if (status.State != BuildState.Running)
                yield break;
            await Task.Delay(Look, cancel);
            status = SightOf(build) is { } now ? status with { Now = now } : await FindAsync(build, cancel);
        }
    }

    /// <summary>Stops a build of this seed. What was read stays: the same build goes on with it.</summary>
    /// <exception cref="ElasticException">Another seed builds it, or it is over; or it is stopped, and the database is away.</exception>
    public async Task StopAsync(string build, CancellationToken cancel)
    {
        Task<string?>? work = null;
        lock (_gate)
        {
            if (_build?.Build == build)
            {
                _build.Stop(byPerson: true);
                work = _work;
            }
        }
        if (work is not null)
        {
            if (await work.WaitAsync(cancel) is { } why)
                throw new ElasticException(
                    $"the build {build} has ended here, and the list of builds does not say so: {why}; a build that was stopped stays "
                    + "so while this seed runs, which notes it when the database is back");
            return;
        }
        var stored = (await StoredAsync(list => list.ReadAsync(cancel))).FirstOrDefault(b => b.Build == build);
        if (stored is not { State: BuildState.Running })
            throw new ElasticException($"the build {build} is over: see pbm corpus list");
        // One that waits for its seed, or for another one that has its files.
        var other = (await node.Control.NodesAsync(cancel)).FirstOrDefault(n => n.Node == stored.Seed && n.Node != Self);
        if (other is not null)
            throw new ElasticException($"the build {build} is under way on the seed {other.Address}: ask that one to stop it");
        await EndAsync(build, stored.Seed, BuildState.Stopped, WasStopped, cancel);
    }

    /// <summary>Goes on with builds that this seed began, and with those of seeds that are gone; until it is cancelled.</summary>
    /// <param name="plan">Makes a plan of what was stored; throws where its files are not on this machine.</param>
    /// <param name="say">Is told of each.</param>
    public async Task GoOnAsync(Func<StoredBuild, BuildPlan> plan, Action<string> say, CancellationToken cancel)
    {
        var missed = new Dictionary<string, int>();
        var failures = new PassingFailures(reason => Log("no build of a corpus goes on for now, and it is tried again: {0}", reason));
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                // Before the list is read: one that ends in between is in it as if it went on.
                var wasIdle = IsIdle;
                var here = (await node.Control.NodesAsync(cancel)).Select(n => n.Node).ToHashSet();
                var builds = await WithoutStoppedAsync(await StoredAsync(list => list.ReadAsync(cancel)), cancel);
                foreach (var stored in builds.Where(b => b.State == BuildState.Running && wasIdle && IsIdle))
                {
                    var isOwn = stored.Seed == Self;
                    missed[stored.Build] = here.Contains(stored.Seed) ? 0 : missed.GetValueOrDefault(stored.Build) + 1;
                    if (isOwn || missed[stored.Build] >= RoundsUntilGone)
                        await ResumeAsync(stored, isOwn, plan, say, cancel);
                }
                failures.End();
                await Task.Delay(BetweenRounds, cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (PassingFailures.MayPass(e))
            {
                failures.Meet(e);
                await Task.Delay(Look, cancel);
            }
        }
    }

    /// <summary>Fetches what is read for builds of other seeds, in case that this one goes on with them; until it is cancelled.</summary>
    /// <inheritdoc cref="GoOnAsync" path="/param"/>
    public Task StandByAsync(Func<StoredBuild, BuildPlan> plan, CancellationToken cancel) => new BuildStandby(
        node, reason => Log("nothing is fetched of the builds of other seeds for now, and it is tried again: {0}", reason))
        .RunAsync(plan, cancel);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        Task work;
        lock (_gate)
        {
            _build?.Stop(byPerson: false);
            work = _work;
        }
        await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ended.Dispose();
    }

    private bool IsIdle
    {
        get
        {
            lock (_gate)
                return _build is null;
        }
    }

    private NodeId Self => node.Context.Facts.Id;

    // The build of that plan; null where there is none under way.
    private string? UnderWay(BuildPlan plan)
    {
        lock (_gate)
            return _build is not { } under ? null
                : under.Plan.Path == plan.Path && under.Plan.Text == plan.Text && under.Plan.Sets.SequenceEqual(plan.Sets) ? under.Build
                : throw new ElasticException($"this seed builds {under.Build} already: wait for it, stop it (pbm corpus stop "
                    + $"-b {under.Build}), or ask another seed");
    }

    private bool IsUnderWay(string build) => SightOf(build) is not null;

    private BuildSight? SightOf(string build)
    {
        lock (_gate)
            return _build?.Build == build ? _build.Sight : null;
    }

    private void Log(string what, string reason) => Logging.GetLogger(node.System, typeof(ClusterBuilds)).Warning(what, reason);

    // Notes of each build that was stopped while the database was away that it is: none of them goes on here.
    private async Task<IReadOnlyList<StoredBuild>> WithoutStoppedAsync(IReadOnlyList<StoredBuild> builds, CancellationToken cancel)
    {
        List<string> stopped;
        lock (_gate)
            stopped = [.. _stopped];
        foreach (var build in stopped)
        {
            // A person may have begun it anew since.
            lock (_gate)
                if (!_stopped.Contains(build) || _build?.Build == build)
                    continue;
            await EndAsync(build, Self, BuildState.Stopped, WasStopped, cancel);
            lock (_gate)
                _stopped.Remove(build);
        }
        return [.. builds.Where(b => !stopped.Contains(b.Build))];
    }

    private async Task<BuildStatus> FindAsync(string build, CancellationToken cancel) =>
        (await ListAsync(cancel)).FirstOrDefault(b => b.Build == build)
            ?? throw new ElasticException($"there is no build {build}: see pbm corpus list");

    private async Task<T> StoredAsync<T>(Func<BuildList, Task<T>> call)
    {
        try
        {
            return await call(new BuildList(
                node.Database ?? throw new ElasticException("this process has no journal: ask a seed to build a corpus")));
        }
        catch (DatabaseUnavailableException e)
        {
            throw new UnavailableException($"the database cannot be reached ({e.Message}): see that it runs, then try again", e);
        }
    }

    private async Task EndAsync(string build, NodeId seed, BuildState state, string note, CancellationToken cancel) =>
        await StoredAsync(async list =>
        {
            await list.EndAsync(build, seed, state, note, cancel);
            return true;
        });

    private bool Begin(string build, BuildPlan plan, Origin origin)
    {
        lock (_gate)
        {
            if (_build is not null || _ended.IsCancellationRequested)
                return false;
            _stopped.Remove(build);
            _build = new RunningBuild(build, plan, TimeProvider.System);
            _work = Task.Run(() => RunAsync(_build, origin));
            return true;
        }
    }

    private async Task ResumeAsync(
        StoredBuild stored, bool isOwn, Func<StoredBuild, BuildPlan> plan, Action<string> say, CancellationToken cancel)
    {
        BuildPlan made;
        try
        {
            made = await Task.Run(() => plan(stored), cancel);
        }
        catch (ElasticException e) when (isOwn)
        {
            say($"the build {stored.Build} does not go on: {e.Message}");
            await EndAsync(stored.Build, stored.Seed, BuildState.Failed, e.Message, cancel);
            return;
        }
        catch (ElasticException)
        {
            return;                                                    // its files are not here: a seed that has them goes on
        }
        if (!isOwn && !await StoredAsync(list => list.TakeOverAsync(stored.Build, stored.Seed, Self, cancel)))
            return;
        say(isOwn ? $"goes on with the build {stored.Build}" : $"goes on with the build {stored.Build} of {stored.Seed}, which is gone");
        Begin(stored.Build, made, Origins.Now($"the build {stored.Build}"));
    }

    // They are in the shards, or nobody goes on with them.
    private void RemoveTokens(string build)
    {
        try
        {
            if (Directory.Exists(node.Paths.TokensOf(build)))
                Directory.Delete(node.Paths.TokensOf(build), recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The standby tries again.
        }
    }

    /// <summary>Why a build has failed, and what to do: for a person.</summary>
    internal static string WhyFailed(Exception e) => DiskSpace.IsExhausted(e)
        ? $"the seed's disk is full ({e.Message.TrimEnd('.')}): free some space and give the same command again, which goes on"
        : OutOfMemory.Describe(e) ?? (e is ElasticException ? e.Message : OneLine.Of($"{e.GetType().Name}: {e.Message}"));

    // Where this process ends first, the database says that the build goes on.
    private async Task<string?> RunAsync(RunningBuild build, Origin origin)
    {
        var (state, note) = (BuildState.Running, "");
        try
        {
            var corpus = await build.RunAsync(node, origin);
            (state, note) = (BuildState.Done, corpus.Folder);
            lock (_gate)
                _last = (build.Build, corpus.Id);
        }
        catch (OperationCanceledException)
        {
            if (build.IsStopped)
                (state, note) = (BuildState.Stopped, WasStopped);
        }
        catch (Exception e) when (!_ended.IsCancellationRequested)
        {
            (state, note) = (BuildState.Failed, WhyFailed(e));
        }
        catch (Exception)
        {
            // The process ends, and with it what the build needs: it goes on when the process is back.
        }
        try
        {
            if (state != BuildState.Running)
            {
                RemoveTokens(build.Build);
                await EndAsync(build.Build, Self, state, note, CancellationToken.None);
            }
            return null;
        }
        catch (ElasticException e)
        {
            // One that was not stopped begins anew, and finds everything there.
            if (state == BuildState.Stopped)
                lock (_gate)
                    _stopped.Add(build.Build);
            return e.Message;
        }
        finally
        {
            lock (_gate)
                _build = null;
            build.Dispose();
        }
    }
}
