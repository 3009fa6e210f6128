namespace Elastic.Corpus;

/// <summary>Where in the sample stream a replica reads. The number of nodes or devices appears nowhere.</summary>
public static class SamplePositions
{
    /// <summary>The position of one sample: <c>((round * H + step) * R + replica) * B + sample</c>.</summary>
    /// <param name="round">Rounds before this one.</param>
    /// <param name="replica">0 to <paramref name="replicas"/> - 1.</param>
    /// <param name="step">Inner step of the round, 0 to <paramref name="innerSteps"/> - 1.</param>
    /// <param name="sample">Sample of the inner step, 0 to <paramref name="sequences"/> - 1.</param>
    /// <param name="innerSteps">H.</param>
    /// <param name="replicas">R.</param>
    /// <param name="sequences">B: blocks per inner step and replica.</param>
    /// <exception cref="OverflowException">The run is longer than 2^63 samples.</exception>
    public static long Of(int round, int replica, int step, int sample, int innerSteps, int replicas, int sequences)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(round);
        InRange(replica, replicas);
        InRange(step, innerSteps);
        InRange(sample, sequences);
        return checked((((long)round * innerSteps + step) * replicas + replica) * sequences + sample);
    }

    private static void InRange(int value, int count, [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(value))] string? name = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value, name);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(value, count, name);
    }
}
