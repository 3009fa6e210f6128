namespace Elastic.Coordination;

/// <summary>
/// Decides when results of this round that no node holds count as lost: the last of their holders may be back in a moment.
/// </summary>
internal sealed class LossDetector
{
    // How long results stay wanted after the last node that holds them fell silent.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    private TimeSpan? _since;

    /// <summary>What is lost; null where nothing is, or not for long enough.</summary>
    public CoordinatorCommand.LoseWork? Lost(RunState run, ClusterView view, TimeSpan now)
    {
        var lost = Replication.Lost(run, view);
        _since = lost is null ? null : _since ?? now;
        return now - _since >= Grace ? lost : null;
    }
}
