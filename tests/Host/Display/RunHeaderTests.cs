using System.Text.Json.Nodes;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Host.Pbm;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Training;

namespace Elastic.Host.Tests.Display;

/// <summary>What stands above a run's lines, and what is said at its end.</summary>
public sealed class RunHeaderTests
{
    [Fact]
    public void A_run_that_a_score_has_ended_says_so_with_the_reason()
    {
        var view = Views.Tiny with { Phase = RunPhase.Finished, EndedEarly = "with version 8 of 40: its loss has reached 3.2" };
        Assert.Contains($"ended early   {view.EndedEarly}", RunStatus.Lines(view));
        Assert.Equal(view.EndedEarly, (string?)JsonNode.Parse(RunJson.Write(view))!["endedEarly"]);
        Assert.Equal(
            $"it waits for nothing: it has ended early, {view.EndedEarly}", RunExplanation.Lines(view, [view], [], []).ElementAt(1).Text);
    }

    [Fact]
    public void The_header_of_a_run_that_was_made_longer_has_the_rounds_that_it_has() => Assert.StartsWith(
        "39 rounds (3 epochs of 400 blocks) x 20 steps x",
        RunLines.Header("t", Epochs(3), 400, rounds: 39)[1], StringComparison.Ordinal);

    private static TrainingSettings Epochs(int epochs)
    {
        var settings = ConfigurationLoader.Load(new(["tiny"], [])).Training;
        return settings with { Run = settings.Run with { Rounds = null, Epochs = epochs } };
    }

    [Fact]
    public void The_header_names_run_config_and_model()
    {
        var settings = ConfigurationLoader.Load(new(["tiny"], [])).Training;
        Assert.Equal(
            [
                "run tiny   config tiny   gpt2 4x128 heads 4 context 128 vocabulary 0",
                "80 rounds x 20 steps x 1 replica   2.05k tokens a step in 2 micro-batches   seed 42",
            ],
            RunLines.Header("tiny", settings, 25_000));
        Assert.Equal(
            "memory 7.0 MiB: parameters and moments 4.0 MiB, gradients 2.0 MiB, activations 1.0 MiB",
            RunLines.Header("tiny", settings, 25_000, new TrainingMemory(4 << 20, 2 << 20, 1 << 20))[2]);
        Assert.StartsWith(
            "4 rounds (3 epochs of 400 blocks) x 20 steps x",
            RunLines.Header("t", Epochs(3), 400)[1],
            StringComparison.Ordinal);
    }
}
