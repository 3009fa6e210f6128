namespace Elastic.Model.Splits;

/// <summary>
/// A stage of a network is gone, or did not answer in time: the stages that are left cannot go on. Nothing is wrong with them.
/// </summary>
/// <param name="stage">Its number.</param>
/// <param name="message">Names it, and says what it owes.</param>
public sealed class StageLostException(int stage, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The number of the stage that is lost.</summary>
    public int Stage { get; } = stage;
}
