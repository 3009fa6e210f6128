using Elastic.Messages.Settings;

namespace Elastic.Model.Tests;

/// <summary>Devices, threads and instruction sets leave no trace in what a network of the Llama kind becomes.</summary>
public class LlamaDeterminismTests(ITestOutputHelper output)
{
    private const string Line = "the digest is ";

    [Theory]
    [InlineData(4, 0.0)]
    [InlineData(5, 0.2)]
    [InlineData(5, 0.2, 3)]
    public void One_two_three_or_eight_devices_at_once_give_the_same_parameters_and_moments(
        int microBatches, double dropout, int window = 0)
    {
        var model = LlamaTests.Small(dropout, window);
        var digests = new[] { 1, 2, 3, 8 }.Select(devices => DeviceCountTests.Train(model, devices, microBatches, 4)).ToList();
        Assert.Single(digests.Distinct());
        Assert.Equal(window == 0, digests[0] == DeviceCountTests.Train(LlamaTests.Small(dropout), 1, microBatches, 4));
    }

    [Fact]
    public void A_window_as_long_as_the_context_leaves_no_trace() => Assert.Equal(
        DeviceCountTests.Train(LlamaTests.Small(0.2), 1, 2, 4), DeviceCountTests.Train(LlamaTests.Small(0.2, window: 16), 1, 2, 4));

    [Theory]
    [InlineData(1, 2)]
    [InlineData(1, 3)]
    [InlineData(2, 2)]
    public void Threads_of_a_device_leave_no_trace_either(int devices, int threads)
    {
        // Wide enough that every operator has pieces for several threads.
        var model = Samples.Llama(2, 6, 2, 96, 64, 1009, l => l with { HeadNorms = true, AttentionBiases = true });
        Assert.Equal(DeviceCountTests.Train(model, 1, 3, 2), DeviceCountTests.Train(model, devices, 3, 2, threads: threads));
    }

    [Theory]
    [InlineData("DOTNET_EnableAVX512")]
    [InlineData("DOTNET_EnableHWIntrinsic")]
    public void Narrower_instructions_give_the_same_bits(string switchedOff)
    {
        var (exitCode, text) = ChildProcess.Run(typeof(LlamaDeterminismTests), nameof(Child_trains), (switchedOff, "0"));
        Assert.True(exitCode == 0, text);
        Assert.Contains(Line + Trained(), text, StringComparison.Ordinal);
    }

    [Fact]
    public void Child_trains()
    {
        if (ChildProcess.IsChild)
            output.WriteLine(Line + Trained());
    }

    // In every precision.
    private static string Trained() => string.Join(' ',
        DeviceCountTests.Train(LlamaTests.Small(0.1), 1, 2, 2),
        PrecisionTests.Train(TrainingPrecision.Bf16, LlamaTests.Small(0.1), 1).Digest,
        PrecisionTests.Train(TrainingPrecision.Fp16, LlamaTests.Small(0.1), 1).Digest);
}
