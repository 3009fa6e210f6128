using Elastic.Actors.Nodes;
using Elastic.Actors.Work;
using Elastic.Messages.Nodes;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Nodes;

public sealed class ThreadSurveyTests : TemporaryFolder
{
    [Fact]
    public async Task A_thread_has_its_name_its_state_what_it_waits_in_and_the_time_that_it_computed()
    {
        Thread("7", "7 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0", "a) b) (c\n", "futex_wait_queue");
        Thread("8", "8 (busy) R 1 2 3 4 5 6 7 8 9 10 900 100 0 0", "busy\n", "0");
        Thread("9", "9 (ended", "ended\n", "0");
        Directory.CreateDirectory(Path.Combine(Folder, "10"));
        Assert.Equal(
            [new ThreadView("busy", "runs", "", 10, 0), new ThreadView("a) b) (c", "waits", "futex_wait_queue", 2, 0)],
            await ThreadSurvey.TakeAsync(Folder));
        Assert.Empty(await ThreadSurvey.TakeAsync(Path.Combine(Folder, "none")));
    }

    [Fact]
    public void Work_says_what_it_does_and_at_which_step()
    {
        var activity = new WorkActivity("tiny-3k9v2mq7 compute 5 2");
        Assert.Matches(@"^tiny-3k9v2mq7 compute 5 2 begins, for \d+\.\d s$", $"{activity}");
        activity.Does("computes step", 7);
        Assert.Matches(@"^tiny-3k9v2mq7 compute 5 2 computes step 7, for \d+\.\d s$", $"{activity}");
    }

    private void Thread(string id, string stat, string comm, string wchan)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Folder, id)).FullName;
        File.WriteAllText(Path.Combine(folder, "stat"), stat);
        File.WriteAllText(Path.Combine(folder, "comm"), comm);
        File.WriteAllText(Path.Combine(folder, "wchan"), wchan);
    }
}
