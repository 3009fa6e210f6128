using Elastic.Messages.Runs;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// A node that lives, and never says what it stores.
public sealed class MuteNodeTests : RunCoordinatorScene
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void It_is_waited_for_for_five_minutes_where_it_may_have_what_the_others_lack_and_the_run_rolls_back_then(bool isInQuarantine)
    {
        Recover([.. Journal(3), .. isInQuarantine ? [new RunEvent.NodeQuarantined(Id, B, "it was outvoted")] : Array.Empty<RunEvent>()]);
        Enlist(A);
        Survey(A, []);
        Enlist(B);
        var seconds = 0;
        for (; Coordinator.Run.Round == 3 && seconds < 3600; seconds += 5)
        {
            After(5);
            Enlist(A);
            Enlist(B);
            Step(new RunInput.Tick());
        }

        Assert.InRange(seconds, 290, 330);
        Assert.Contains(Outputs.OfType<RunOutput.Store>().SelectMany(s => s.Events), e => e is RunEvent.RolledBack);
    }

    [Fact]
    public void Nobody_waits_for_it_where_the_others_have_everything()
    {
        Recover(Journal(3));
        Enlist(B);
        Enlist(A);
        Survey(A, Coordinator.Run.Current());
        Assert.True(Coordinator.View.Surveyed);
        Assert.Contains("compute", Sent(A));
    }
}
