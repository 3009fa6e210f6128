using System.Diagnostics;

namespace Elastic.Testing;

/// <summary>Waits for conditions, each with a deadline: nothing sleeps and hopes.</summary>
/// <param name="Deadline">How long at the most.</param>
/// <param name="Look">How long between two looks.</param>
public sealed record Wait(TimeSpan Deadline, TimeSpan Look)
{
    /// <summary>Waits until something is true.</summary>
    /// <param name="what">As a sentence in the past tense: "the run was finished".</param>
    /// <param name="describe">What there is to see when it does not become true.</param>
    /// <exception cref="TimeoutException">It did not become true in time.</exception>
    public async Task UntilAsync(string what, Func<Task<bool>> condition, Func<string>? describe = null)
    {
        var began = Stopwatch.GetTimestamp();
        while (!await condition().WaitAsync(Deadline))
        {
            if (Stopwatch.GetElapsedTime(began) > Deadline)
                throw new TimeoutException($"{Deadline.TotalSeconds} s passed before {what}; {describe?.Invoke()}");
            await Task.Delay(Look);
        }
    }
}
