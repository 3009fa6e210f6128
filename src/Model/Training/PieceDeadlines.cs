using System.Globalization;

namespace Elastic.Model.Training;

/// <summary>
/// Work that devices do piece by piece and not together, as an evaluation. A device that hangs is found by what other pieces have taken, of
/// whichever device; before one has ended, by what work of the same run took before, and where there was none, by the time that is
/// too long for anything.
/// </summary>
/// <param name="what">For messages, e.g. "evaluation".</param>
/// <param name="time">Measures the deadlines.</param>
/// <param name="times">Times of the same run's work, in the same elements: known before, and told what these pieces take.</param>
public sealed class PieceDeadlines(string what, StepDeadlines deadlines, TimeProvider time, PieceTimes times)
{
    private readonly Lock _lock = new();
    private TimeSpan? _slowest = times.OfElement;                      // of one element; null before anything has ended

    /// <summary>Has a device do a piece.</summary>
    /// <param name="elements">How large the piece is, in whatever takes about the same time everywhere, e.g. tokens.</param>
    /// <exception cref="DeviceFailedException">The device did not end it in time; it may still be at it.</exception>
    public async Task<T> RunAsync<T>(IDeviceThread device, int elements, Func<TrainingDevice, T> piece)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfLessThan(elements, 1);
        var awake = WaitDeadline.Awake(time);
        var began = awake.GetTimestamp();
        var work = device.RunAsync(piece);
        while (!work.IsCompleted)
        {
            if (awake.GetElapsedTime(began) >= LimitOf(elements))
                throw new DeviceFailedException(device.Id, isLost: true, string.Create(
                    CultureInfo.InvariantCulture,
                    $"{device.Id} did not end its piece of the {what} within {awake.GetElapsedTime(began).TotalSeconds:0.#} s: it hangs"));
            using var ended = new CancellationTokenSource();
            await Task.WhenAny(work, Task.Delay(WaitDeadline.Look, time, ended.Token));
            await ended.CancelAsync();
        }

        var result = await work;
        var took = awake.GetElapsedTime(began);
        times.Note(took, elements);
        lock (_lock)
            _slowest = took / elements is var element && element > _slowest.GetValueOrDefault() ? element : _slowest ?? element;
        return result;
    }

    private TimeSpan LimitOf(int elements)
    {
        lock (_lock)
            return _slowest is { } slowest ? deadlines.After(slowest * elements) : deadlines.Most;
    }
}
