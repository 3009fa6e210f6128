using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

/// <summary>How nodes are told what a run is.</summary>
public sealed class OpeningTests : RunCoordinatorScene
{
    [Fact]
    public void A_node_that_lost_the_word_to_open_a_run_is_told_again_soon()
    {
        Begin(1, A);
        Sent(A);
        Step(new RunInput.Reported(new NodeReport.RunUnopened(A, Id, null)));
        After(1);
        Step(new RunInput.Tick());
        Assert.Contains("OpenRun", Sent(A));
        Assert.Equal([A], Coordinator.View.Workers);
        Step(new RunInput.Reported(new NodeReport.RunUnopened(A, Id, "its corpus cannot be had")));
        Assert.DoesNotContain("OpenRun", Sent(A));
        Assert.Empty(Coordinator.View.Workers);
    }

    [Fact]
    public void A_node_that_enlists_before_the_first_seed_is_told_again_whom_to_fetch_the_corpus_from()
    {
        Recover(Journal(0));
        Enlist(B);
        Assert.Equal([], Taken(B).OfType<NodeCommand.OpenRun>().Single().Sources);
        Enlist(A, seed: true);
        After(1);
        Step(new RunInput.Tick());
        Assert.Equal([$"{A}:7001"], Taken(B).OfType<NodeCommand.OpenRun>().Single().Sources);
        After(1);
        Step(new RunInput.Tick());
        Assert.Empty(Taken(B).OfType<NodeCommand.OpenRun>());
    }

    [Fact]
    public void A_node_that_says_several_times_why_it_could_not_open_the_run_rests_once()
    {
        Begin(1, A);
        for (var i = 0; i < 4; i++)
            Step(new RunInput.Reported(new NodeReport.RunUnopened(A, Id, "its corpus cannot be had")));
        Assert.Single(Outputs.OfType<RunOutput.Notice>(), n => n.Text.Contains("cannot open the run", StringComparison.Ordinal));
        Sent(A);
        After(31);
        Step(new RunInput.Tick());
        Assert.Contains("OpenRun", Sent(A));
    }

    [Fact]
    public void What_a_node_is_asked_while_it_is_told_what_the_run_is_does_not_multiply_messages()
    {
        Begin(1, A);
        Enlist(B);
        Taken(B);
        for (var i = 0; i < 10; i++)
            Step(new RunInput.Reported(new NodeReport.RunUnopened(B, Id, null)));
        Assert.Empty(Taken(B));
        After(1);
        Step(new RunInput.Tick());
        Assert.Equal(["OpenRun", "Survey"], Sent(B));
    }

    [Fact]
    public void Nothing_counts_as_lost_before_a_node_that_has_to_be_told_again_what_the_run_is_has_said_what_it_stores()
    {
        Recover(Journal(1));
        Enlist(A);
        Enlist(B);
        Survey(A, []);
        Step(new RunInput.Reported(new NodeReport.RunUnopened(B, Id, null)));
        After(0.9);
        Step(new RunInput.Tick());
        Assert.DoesNotContain(Outputs.OfType<RunOutput.Store>().SelectMany(s => s.Events), e => e is RunEvent.RolledBack);
        After(30);
        Step(new RunInput.Tick());
        Assert.DoesNotContain(Outputs.OfType<RunOutput.Store>().SelectMany(s => s.Events), e => e is RunEvent.RolledBack);
        Survey(B, Coordinator.Run.Current());
        Assert.True(Coordinator.View.Surveyed);
        Assert.Equal(1, Coordinator.Run.Round);
    }
}
