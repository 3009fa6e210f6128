using Elastic.Messages.Settings;
using Elastic.Step;

namespace Elastic.Model.Tests.Splits;

/// <summary>What the processes of the benchmark do, so that it cannot rot: here each is a task.</summary>
public sealed class StageProcessesTests
{
    [Fact]
    public async Task Stages_that_talk_through_ports_write_the_parameters_of_one()
    {
        var training = new StagedTraining(
            PrecisionTests.Kinds["gpt2"] with { Layers = 3 }, Batch: 4, Tokens: 16, Micro: 1, Threads: 1, TrainingPrecision.Fp32, Steps: 2);
        var folder = Directory.CreateTempSubdirectory("elastic-stages-").FullName;
        try
        {
            var (one, three) = (Path.Combine(folder, "one"), Path.Combine(folder, "three"));
            await StageProcesses.StageAsync(0, StageProcesses.FreePorts(1), training, one);
            var ports = StageProcesses.FreePorts(3);
            await Task.WhenAll(Enumerable.Range(0, 3).Select(s => Task.Run(() => StageProcesses.StageAsync(s, ports, training, three))));
            Assert.Equal(
                await File.ReadAllBytesAsync(one, TestContext.Current.CancellationToken),
                await File.ReadAllBytesAsync(three, TestContext.Current.CancellationToken));
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }
}
