using Elastic.Model.Training;

namespace Elastic.Model.Tests.Collectives;

/// <summary>Pieces of an evaluation: a device that hangs in one is found by what the others took.</summary>
public sealed class PieceDeadlinesTests
{
    private readonly HandClock _clock = new();

    [Fact]
    public async Task A_device_that_hangs_is_lost_a_minute_after_what_ten_pieces_of_its_size_take_and_not_in_half_an_hour()
    {
        using var pool = new DevicePool(Samples.Tiny(), 2);
        var deadlines = new PieceDeadlines("evaluation", StepDeadlines.Default, _clock, new PieceTimes());
        // Four elements take two seconds, so that ten pieces of eight take forty.
        Assert.Equal(7, await deadlines.RunAsync(pool.Devices[1], 4, _ =>
        {
            _clock.Advance(TimeSpan.FromSeconds(2));
            return 7;
        }));
        await HangsAsync(pool, deadlines, TimeSpan.FromSeconds(100));
    }

    [Fact]
    public async Task A_device_that_hangs_in_the_first_piece_is_lost_by_what_work_of_the_same_run_took_before()
    {
        using var pool = new DevicePool(Samples.Tiny(), 2);
        var times = new PieceTimes();
        // Two devices took two seconds together for eight elements, after a step that was held up for an hour.
        times.Note(TimeSpan.FromHours(1), 8);
        times.Note(2 * TimeSpan.FromSeconds(1), 8);
        await HangsAsync(pool, new PieceDeadlines("evaluation", StepDeadlines.Default, _clock, times), TimeSpan.FromSeconds(80));

        // What a piece takes counts for the next evaluation.
        Assert.Equal(1, await new PieceDeadlines("evaluation", StepDeadlines.Default, _clock, times).RunAsync(pool.Devices[1], 8, _ =>
        {
            _clock.Advance(TimeSpan.FromSeconds(3));
            return 1;
        }));
        await HangsAsync(pool, new PieceDeadlines("evaluation", StepDeadlines.Default, _clock, times), TimeSpan.FromSeconds(90));
    }

    [Fact]
    public async Task Where_nothing_is_known_a_device_has_half_an_hour()
    {
        using var pool = new DevicePool(Samples.Tiny(), 2);
        await HangsAsync(
            pool, new PieceDeadlines("evaluation", StepDeadlines.Default, _clock, new PieceTimes()), TimeSpan.FromMinutes(30));
    }

    // A piece of eight elements.
    private async Task HangsAsync(DevicePool pool, PieceDeadlines deadlines, TimeSpan until)
    {
        var hung = new TroubledDevice(pool.Devices[0]) { HangsIn = 0 };
        var (passed, piece) = (TimeSpan.Zero, deadlines.RunAsync(hung, 8, _ => 7));
        while (!piece.IsCompleted)
        {
            var next = _clock.NextTimerChange();
            _clock.Advance(WaitDeadline.Look);
            passed += WaitDeadline.Look;
            await Task.WhenAny(next, piece);
        }

        var lost = await Assert.ThrowsAsync<DeviceFailedException>(() => piece);
        Assert.Equal($"cpu:0 did not end its piece of the evaluation within {until.TotalSeconds} s: it hangs", lost.Message);
        Assert.True(lost.IsLost);
        Assert.Equal(until, passed);
        hung.Release();
    }

    [Fact]
    public async Task A_process_that_was_stopped_for_an_hour_in_the_middle_of_a_piece_loses_no_device()
    {
        using var pool = new DevicePool(Samples.Tiny(), 2);
        var deadlines = new PieceDeadlines("evaluation", StepDeadlines.Default, _clock, new PieceTimes());
        Assert.Equal(1, await deadlines.RunAsync(pool.Devices[1], 1, _ => 1));
        var stopped = new TroubledDevice(pool.Devices[0]) { HangsIn = 0 };
        var piece = deadlines.RunAsync(stopped, 1, _ => 2);
        await stopped.Hangs;
        var next = _clock.NextTimerChange();
        _clock.Advance(TimeSpan.FromHours(1));
        await next;
        stopped.Release();
        Assert.Equal(2, await piece);
    }
}
