namespace Elastic.Coordination.Tests;

// The table of Lifecycle, row by row.
public sealed class LifecycleTests
{
    private static readonly LifecycleFacts Well = new(
        HasTerm: true, HasFailed: false, IsFinished: false, GoesOn: true, IsAsked: true, IsSurveyed: true,
        IsPaused: false, IsBusy: true, HasDevices: true);

    [Fact]
    public void Each_state_holds_while_its_row_says_so_and_the_first_row_counts()
    {
        Assert.Equal(Lifecycle.Running, Well.State);
        Assert.Equal(Lifecycle.Recovering, (Well with { HasTerm = false, HasFailed = true, IsFinished = true }).State);
        Assert.Equal(Lifecycle.Failed, (Well with { HasFailed = true, IsFinished = true }).State);
        Assert.Equal(Lifecycle.Finished, (Well with { IsFinished = true, IsSurveyed = false, IsPaused = true, HasDevices = false }).State);
        Assert.Equal(Lifecycle.Waiting, (Well with { HasDevices = false, IsSurveyed = false }).State);
        Assert.Equal(Lifecycle.Waiting, (Well with { IsAsked = false, GoesOn = false, IsFinished = true }).State);
        Assert.Equal(Lifecycle.Surveying, (Well with { IsSurveyed = false, IsPaused = true }).State);
        Assert.Equal(Lifecycle.Stopping, (Well with { IsPaused = true }).State);
        Assert.Equal(Lifecycle.Stopping, (Well with { IsPaused = true, IsBreak = true }).State);
        Assert.Equal(Lifecycle.Paused, (Well with { IsPaused = true, IsBreak = true, IsBusy = false, HasDevices = false }).State);
        Assert.Equal(Lifecycle.Stopped, (Well with { IsPaused = true, IsBusy = false, HasDevices = false }).State);
    }

    [Fact]
    public void One_process_that_goes_on_with_a_finished_run_looks_first_whether_it_is_whole()
    {
        var finished = Well with { GoesOn = false, IsFinished = true };
        Assert.Equal(Lifecycle.Surveying, (finished with { IsSurveyed = false }).State);
        Assert.Equal(Lifecycle.Finished, finished.State);
    }
}
