using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Event;
using Elastic.Actors.Control;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>What people and other versions do to a build while its seed cannot note or read it.</summary>
public sealed class StoppedBuildSpecs : IDisposable
{
    private readonly SmallBuild _build = new();

    public void Dispose() => _build.Dispose();

    [Fact]
    public async Task A_build_that_is_stopped_while_the_database_is_away_is_noted_as_stopped_later_and_does_not_begin_anew_before()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var isStuck = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var seed = await _build.StartAsync("seed", NodeDuty.Seed(), new NodeFaults(BeforePiece: (_, closed) =>
        {
            isStuck.TrySetResult();
            return Task.Delay(Timeout.Infinite, closed);
        }), deadline.Token);
        var build = await seed.Control.BuildAsync(_build.Plan, Origins.Now("a test"), deadline.Token);
        await isStuck.Task.WaitAsync(deadline.Token);
        await DoAsync("ALTER TABLE elastic_builds RENAME TO away");
        var refusal = await Assert.ThrowsAsync<ElasticException>(
            () => seed.Control.StopBuildAsync(build, Origins.Now("a test"), deadline.Token));
        Assert.StartsWith(
            $"the build {build} has ended here, and the list of builds does not say so: the database cannot be reached", refusal.Message,
            StringComparison.Ordinal);

        // A newer version has noted a build of its own meanwhile.
        await DoAsync("ALTER TABLE away RENAME TO elastic_builds");
        await DoAsync("INSERT INTO elastic_builds (build, seed, path, manifest, sets, who, started_at, state, note) "
            + "SELECT 'newer', seed, path, manifest, sets, who, started_at, 'held', '' FROM elastic_builds");
        using var over = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
        using var warnings = Inbox.Create(seed.System);
        seed.System.EventStream.Subscribe(warnings.Receiver, typeof(Warning));
        var said = new ConcurrentQueue<string>();
        var goesOn = seed.Builds.GoOnAsync(_ => _build.Plan, said.Enqueue, over.Token);
        string? warning = null;
        while (warning?.Contains("\"held\"", StringComparison.Ordinal) != true)
            warning = $"{Assert.IsType<Warning>(await warnings.ReceiveAsync(TimeSpan.FromSeconds(60))).Message}";
        await DoAsync("DELETE FROM elastic_builds WHERE build = 'newer'");
        BuildStatus status;
        while ((status = Assert.Single(await seed.Control.BuildsAsync(deadline.Token))).State == BuildState.Running)
            await Task.Delay(20, deadline.Token);
        await over.CancelAsync();
        await goesOn;
        Assert.Equal((build, BuildState.Stopped), (status.Build, status.State));
        Assert.Empty(said);

        Task<int> DoAsync(string sql) => seed.Database!.CallAsync(
            TimeSpan.FromSeconds(10), (connection, cancel) => connection.ExecuteAsync(sql, cancel), deadline.Token);
    }

    [Fact]
    public void A_reason_that_may_pass_is_told_once_until_it_is_over_and_a_bug_is_none()
    {
        var told = new List<string>();
        var failures = new PassingFailures(told.Add);
        Assert.False(PassingFailures.MayPass(new InvalidOperationException("a bug")));
        Assert.True(PassingFailures.MayPass(new InvalidDataException("a state")));
        failures.Meet(new InvalidDataException("a state"));
        failures.Meet(new InvalidDataException("a state"));
        failures.Meet(new UnavailableException("moving"));
        failures.End();
        failures.Meet(new UnavailableException("moving"));
        Assert.Equal(["InvalidDataException: a state", "moving", "moving"], told);
    }
}
