using System.Diagnostics;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>The harness itself: what it reads of a process, and that it ends it.</summary>
public sealed class ElasticProcessTests : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task What_a_process_says_is_read_by_stream_and_with_its_time_and_its_end_has_a_code()
    {
        using var process = new ElasticProcess("frobnicate");
        Assert.Equal(2, await process.EndAsync(Deadline));
        Assert.True(process.HasEnded);
        Assert.Contains("frobnicate", process.Error, StringComparison.Ordinal);
        Assert.All(process.Lines, l => Assert.InRange(l.At, process.StartedAt, DateTime.UtcNow));
        var failed = await Assert.ThrowsAsync<InvalidOperationException>(process.ResultAsync);
        Assert.Contains("exit code 2", failed.Message, StringComparison.Ordinal);
        Assert.Contains("frobnicate", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_ended_answers_no_more_and_says_what_it_said_last()
    {
        using var process = ElasticProcess.Run("pbm.dll", "--version");
        Assert.NotEmpty(await process.ReadLineAsync(Deadline));
        var ended = await Assert.ThrowsAsync<InvalidOperationException>(() => process.ReadLineAsync(Deadline));
        Assert.Contains("it said", ended.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_does_not_end_is_told_of_and_can_be_killed()
    {
        using var worker = new ElasticProcess(Waiting);
        var late = await Assert.ThrowsAsync<TimeoutException>(() => worker.EndAsync(TimeSpan.FromMilliseconds(10)));
        Assert.Contains("does not end", late.Message, StringComparison.Ordinal);
        Assert.InRange(await worker.KillAsync(), worker.StartedAt, DateTime.UtcNow);
        Assert.NotEqual(0, await worker.EndAsync(Deadline));
        Assert.False(await worker.KillAsync(Deadline));
    }

    [Fact]
    public async Task What_a_killed_program_has_started_ends_with_it()
    {
        Requirement.Need(!OperatingSystem.IsWindows(), "needs a shell, which Windows lacks: use Linux or macOS");
        using Process one = Sleeping(), ended = Sleeping(), other = Sleeping();
        try
        {
            var guard = new ProcessGuard();
            foreach (var process in new[] { one, ended, other })
                guard.Add(process.Id);
            guard.Remove(ended.Id);
            guard.Dispose();                                           // the pipe ends, as with the program
            using var deadline = new CancellationTokenSource(Deadline);
            await one.WaitForExitAsync(deadline.Token);
            await other.WaitForExitAsync(deadline.Token);
            Assert.False(ended.HasExited);
        }
        finally
        {
            ended.Kill();
        }

        static Process Sleeping() => Process.Start("sleep", "600");
    }

    [Fact]
    public async Task A_process_can_be_asked_to_end()
    {
        using var worker = new ElasticProcess(Waiting);
        await SpeaksAsync(worker);
        worker.AskToEnd();
        Assert.Equal(130, await worker.EndAsync(Deadline));
    }

    [Fact]
    public async Task What_runs_in_the_test_s_own_process_is_read_in_the_same_way_and_is_only_asked_to_end()
    {
        using var wrong = Here.Run("frobnicate");
        Assert.Equal(2, await wrong.EndAsync(Deadline));
        Assert.Contains("frobnicate", wrong.Error, StringComparison.Ordinal);
        using var worker = RunningCommand.Start(Here.Elastic, Waiting);
        await SpeaksAsync(worker);
        var late = await Assert.ThrowsAsync<TimeoutException>(() => worker.EndAsync(TimeSpan.FromMilliseconds(10)));
        Assert.Contains("does not end", late.Message, StringComparison.Ordinal);
        worker.AskToEnd();
        Assert.Equal(130, await worker.EndAsync(Deadline));
        using var node = new ClusterNode("w", "worker", Path.Combine(Folder, "w"), "0", Here.Elastic, ["--help"]);
        node.Launch();
        Assert.Contains("runs in the test's process", Assert.Throws<InvalidOperationException>(() => node.Process).Message);
        Assert.Equal(0, await node.LeaveAsync());
    }

    [Fact]
    public async Task A_condition_that_stays_false_ends_in_a_sentence_about_it()
    {
        var wait = new Wait(TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(1));
        var late = await Assert.ThrowsAsync<TimeoutException>(
            () => wait.UntilAsync("it was up", () => Task.FromResult(false), () => "it said nothing"));
        Assert.Contains("before it was up; it said nothing", late.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<TimeoutException>(() => wait.UntilAsync("it answered", () => new TaskCompletionSource<bool>().Task));
    }

    // Nobody listens at that port, so it tries for as long as it lives.
    private string[] Waiting =>
        ["worker", "--seed", $"127.0.0.1:{FreePort.Text()}", "--port", "0", "--devices", "cpu:1", "--data-dir", Folder];

    private static Task SpeaksAsync(RunningCommand command) => new Wait(Deadline, TimeSpan.FromMilliseconds(20))
        .UntilAsync("it said something", () => Task.FromResult(command.Said.Length > 0));
}
