namespace Elastic.Coordination;

//   state       holds while                                              journalled        a node may leave
//   Recovering  the journal is replayed, or the term is not known yet    no                no
//   Failed      a failure that trying again cannot fix                   no                when what it holds is elsewhere
//   Finished    all rounds committed, the last version scored, durable   RunFinished       yes
//   Waiting     no start since the restart, or no device is there        no                when what it holds is elsewhere
//   Surveying   it is not known what is still intact                     no                no
//   Stopping    asked to stop or pause, nodes still hand over            RunPaused         when what it holds is elsewhere
//   Paused      takes a break, no node has work of it                    RunPaused         when what it holds is elsewhere
//   Stopped     asked to stop, no node has work of it                    RunPaused         when what it holds is elsewhere
//   Running     otherwise                                                no                when what it holds is elsewhere
//
// A start leads out of Failed, Stopping, Paused, Stopped and Waiting, a resume out of Paused, a stop from Paused to Stopped; a loss leads
// from Running, Stopping or Finished to Surveying.

/// <summary>
/// Where a coordinator stands. One state, computed from facts that are each kept once; the first row that holds counts.
/// </summary>
public enum Lifecycle
{
    Recovering,
    Surveying,
    Waiting,
    Running,
    Stopping,
    Paused,
    Stopped,
    Failed,
    Finished,
}

/// <summary>The facts that the state is computed from.</summary>
/// <param name="HasTerm">The fence knows this supervisor.</param>
/// <param name="GoesOn">The run goes on by itself after a restart.</param>
/// <param name="IsAsked">It goes on by itself, or a person has started it since the restart.</param>
/// <param name="IsBusy">Some node has work of the run that it hands over when the run stops.</param>
/// <param name="IsPaused">It is asked to take no more steps.</param>
/// <param name="IsBreak">Until somebody resumes it.</param>
public readonly record struct LifecycleFacts(
    bool HasTerm, bool HasFailed, bool IsFinished, bool GoesOn, bool IsAsked, bool IsSurveyed, bool IsPaused, bool IsBusy, bool HasDevices,
    bool IsBreak = false)
{
    public Lifecycle State =>
        !HasTerm ? Lifecycle.Recovering
        : HasFailed ? Lifecycle.Failed
        // Without GoesOn (elastic train), a finished run is surveyed before it counts as finished.
        : IsFinished && (GoesOn || (IsAsked && IsSurveyed)) ? Lifecycle.Finished
        : !IsAsked ? Lifecycle.Waiting
        : !HasDevices && !IsPaused ? Lifecycle.Waiting
        : !IsSurveyed ? Lifecycle.Surveying
        : IsPaused ? (IsBusy ? Lifecycle.Stopping : IsBreak ? Lifecycle.Paused : Lifecycle.Stopped)
        : Lifecycle.Running;
}
