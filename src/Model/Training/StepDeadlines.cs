namespace Elastic.Model.Training;

/// <summary>How long a device may take in a step before it counts as lost. A step that is slow on all devices is only slow.</summary>
/// <param name="Most">
/// The most time in which a step may get no further, on all devices: it detects a hung driver, not a slow model. It begins anew with each
/// group of micro-batches, and each piece of the vectors, that a device has ended (<see cref="TrainingDevice.PartsEnded"/>).
/// </param>
/// <param name="Behind">
/// What a device may be behind others, besides ten times what they took: their shares differ by one micro-batch at most, and a busy machine
/// may stop one of several threads for a while.
/// </param>
public sealed record StepDeadlines(TimeSpan Most, TimeSpan Behind)
{
    private const int Times = 10;

    /// <summary>Half an hour, and a minute.</summary>
    public static StepDeadlines Default { get; } = new(TimeSpan.FromMinutes(30), TimeSpan.FromMinutes(1));

    /// <summary>What is left for others once a device has done its share in this time.</summary>
    public TimeSpan After(TimeSpan took) => Behind + Times * took;
}
