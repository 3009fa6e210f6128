using Elastic.Actors.Tests.Nodes;
using Elastic.Messages.Runs;
using Microsoft.Data.Sqlite;

namespace Elastic.Actors.Tests.Runs;

public sealed class RunSupervisorSpecs : IDisposable
{
    private readonly TinyRun _tiny = new();

    public void Dispose() => _tiny.Dispose();

    [Fact]
    public async Task A_stopped_run_goes_on_in_another_process_to_the_bits_of_one_that_was_never_stopped()
    {
        var settings = TinyRun.Settings("a", replicas: 2, rounds: 4, innerSteps: 10);
        var straight = await _tiny.TrainAsync(settings, "cpu:2", "straight");

        // In the middle of a round: one replica has taken a step of it.
        var stopped = await _tiny.TrainAsync(
            settings, "cpu:1", "stopped", view => view is { Round: 2, Samples: > 2 * 2 * 10 * 8 }, TinyRun.HeldIn(2));
        Assert.Equal((RunPhase.Stopped, 2), (stopped.Phase, stopped.Round));
        var resumed = await _tiny.TrainAsync(settings, "cpu:3", "stopped");

        Assert.Null(resumed.Failure);
        Assert.Equal((RunPhase.Finished, 4, straight.Fingerprint), (resumed.Phase, resumed.Round, resumed.Fingerprint));
    }

    // As another seed does that takes the run over while this one still works on it.
    [Fact]
    public async Task A_supervisor_whose_term_is_over_commits_no_round_that_the_fence_has_not_passed_and_says_that_it_was_taken_over()
    {
        long? passed = null;
        var view = await _tiny.TrainAsync(TinyRun.Settings("a", rounds: 200, innerSteps: 1), "cpu:1", stop: v =>
        {
            if (v.Round >= 2)
                passed ??= Ask("UPDATE elastic_fence SET term = term + 1 RETURNING round");
            return false;
        });
        Assert.Contains("another supervisor has taken this run over", view.Failure, StringComparison.Ordinal);
        Assert.InRange(passed!.Value, 2, 199);
        Assert.Equal(passed, Ask("SELECT COUNT(*) FROM journal WHERE manifest = 'round-committed'"));
    }

    // In place, as a server of PostgreSQL does it that is set back; or by another file in the journal's place. That is there from one
    // instant to the next, since a connection that is opened between the deletion of the log and the replacement has an error instead.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_journal_that_is_set_back_while_the_run_works_is_noticed_and_the_run_comes_to_the_same_bits(bool inPlace)
    {
        var settings = TinyRun.Settings("a", replicas: 2, rounds: 12, innerSteps: 10);
        var (path, copy) = (Path.Combine(_tiny.Root, "data", "journal.db"), Path.Combine(_tiny.Root, "copy.db"));
        var straight = await _tiny.TrainAsync(settings, "cpu:2", "straight");
        if (!inPlace)
        {
            var first = Path.Combine(Directory.CreateDirectory(Path.Combine(_tiny.Root, "first")).FullName, "journal.db");
            File.WriteAllBytes(first, []);
            Link(path, first);
        }

        // The run is held in round 2 until it was copied there, and in round 4 until it was set back.
        TaskCompletionSource copied = new(TaskCreationOptions.RunContinuationsAsynchronously),
            setBack = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var view = await _tiny.TrainAsync(settings, "cpu:1", stop: v =>
        {
            if (v.Round >= 2 && !copied.Task.IsCompleted)
            {
                Do($"VACUUM INTO '{copy}'");
                copied.SetResult();
            }

            if (v.Round >= 4 && !setBack.Task.IsCompleted)
            {
                if (inPlace)
                    Do("DELETE FROM journal WHERE ordering > (SELECT MAX(ordering) FROM journal) / 2");
                else
                    Link(path, copy);
                setBack.SetResult();
            }

            return false;
        }, hold: (round, _) => round < 2 ? Task.CompletedTask : round < 4 ? copied.Task : setBack.Task);
        Assert.Contains("was replaced by an older copy while this seed ran", view.Failure, StringComparison.Ordinal);
        Assert.InRange(view.Round, 4, 11);

        var resumed = await _tiny.TrainAsync(settings, "cpu:2");
        Assert.Equal((null, RunPhase.Finished, straight.Fingerprint), (resumed.Failure, resumed.Phase, resumed.Fingerprint));
        Assert.Equal(0L, Ask("SELECT MAX(sequence_number) - COUNT(*) FROM journal"));
    }

    private static void Link(string path, string to)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.CreateSymbolicLink($"{path}.next", to);
        File.Move($"{path}.next", path, overwrite: true);
    }

    private void Do(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(_tiny.Root, "data", "journal.db")}");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private long Ask(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(_tiny.Root, "data", "journal.db")}");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }
}
