using Elastic.Actors.Tests.Nodes;
using Elastic.Messages.Runs;

namespace Elastic.Actors.Tests.Runs;

public sealed class RunSupervisorSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task A_stopped_run_goes_on_in_another_process_to_the_bits_of_one_that_was_never_stopped()
    {
        var settings = TinyRun.Settings("a", replicas: 2, rounds: 6, innerSteps: 40);   // the stop comes through before they are over
        var straight = await _tiny.TrainAsync(settings, "cpu:2", "straight");

        var stopped = await _tiny.TrainAsync(settings, "cpu:1", "stopped", view => view.Steps >= 90);
        Assert.Equal(RunPhase.Stopped, stopped.Phase);
        var resumed = await _tiny.TrainAsync(settings, "cpu:3", "stopped");

        Assert.Null(resumed.Failure);
        Assert.Equal((RunPhase.Finished, 6, straight.Fingerprint), (resumed.Phase, resumed.Round, resumed.Fingerprint));
    }
}
