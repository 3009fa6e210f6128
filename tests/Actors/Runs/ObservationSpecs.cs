using Elastic.Actors.Tests.Nodes;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Runs;

public sealed class ObservationSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task A_run_leaves_behind_what_there_was_to_see_of_it()
    {
        var settings = TinyRun.Settings("seen", rounds: 3);
        var view = await _tiny.TrainAsync(settings, "cpu:2");
        Assert.Equal(RunPhase.Finished, view.Phase);

        var store = new ObservationStore(DatabaseAddress.Parse(null, Path.Combine(_tiny.Root, "data")));
        var all = (await store.ReadAsync(new ObservationQuery(AtMost: 10_000), default)).Select(o => o.What).ToList();
        var run = view.RunId;
        Assert.Single(all.OfType<SupervisionBegan>());
        Assert.Equal(2, Assert.Single(all.OfType<NodeJoined>()).Devices);
        Assert.Equal([0, 1, 2], all.OfType<RoundCommitted>().Select(c => c.Round));
        Assert.Equal(view.Tokens, all.OfType<RoundCommitted>().Last().TokensSeen);
        Assert.Equal(view.ValLoss, all.OfType<Score>().Last().LossNats);
        var steps = all.OfType<StepLoss>().ToList();
        Assert.NotEmpty(steps);
        Assert.All(steps, s => Assert.Equal((run, true), (s.RunId, double.IsFinite(s.LossNats))));
        Assert.Contains(all.OfType<PhaseDuration>(), p => p is { Round: 1, Phase: RunPhase.Computing, Seconds: > 0 });
        Assert.Equal(
            all.OfType<RunObservation>().Count(),
            (await store.ReadAsync(new ObservationQuery(Run: run, AtMost: 10_000), default)).Count);
        Assert.Empty(all.OfType<RunFailed>());

        // The journal has the same, and all of it.
        var database = DatabaseAddress.Parse(null, Path.Combine(_tiny.Root, "data"));
        var curves = new RunCurves(database);
        var curve = await curves.ReadAsync(new RunName("seen"), default);
        Assert.Equal([0, 1, 2, 3], curve!.Points.Select(p => p.Version));
        Assert.Equal([true, false, true, true], curve.Points.Select(p => p.Score is not null));
        Assert.Equal([false, true, true, true], curve.Points.Select(p => p.TrainLossNats is not null));
        Assert.Equal((view.Tokens, view.ValLoss), (curve.Points[^1].Tokens, curve.Points[^1].Score!.LossNats));
        var segment = Assert.Single(curve.Segments);
        Assert.Equal((0, 3, curve.Settings.Run.Replicas), (segment.FromRound, segment.Rounds, segment.Replicas));
        Assert.Null(await curves.ReadAsync(new RunName("unseen"), default));
        Assert.Equal(curve.Points, (await curves.ReadAsync(new RunName("seen"), default))!.Points);
        var events = await JournalReader.ReadAsync(database, run, default);
        var rolledBack = RunCurve.Of(run, [.. events, new RunEvent.RolledBack(run, null, "it was damaged")])!;
        Assert.Equal([0], rolledBack.Points.Select(p => p.Version));
    }
}
