using System.Text.Json.Nodes;
using Elastic.Host.Commands;
using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Host.Tests.Commands;

/// <summary>What <c>elastic kernels</c> says; no GPU is here, so the times are made up.</summary>
public sealed class KernelsCommandTests
{
    private static readonly StepTimes Step = new(
        4, 0.05, [new("product bf16 4096x3072x768 NN to bf16", 48, 0.02, 4.8e12, 0), new("adamw_update_bf16", 1, 0.001, 0, 3e9)]);

    [Fact]
    public void Each_kernel_has_a_line_with_its_share_and_the_last_one_says_what_is_left()
    {
        Assert.Equal(
            """
            product bf16 4096x3072x768 NN to bf16               48 calls    20.000 ms  40.0 %  240.0 TFLOP/s
            adamw_update_bf16                                    1 calls     1.000 ms   2.0 %   3000 GB/s
            a step of 4 micro-batches takes 50.00 ms: these kernels 21.00, the rest 29.00

            """,
            Report(false));
        var step = JsonNode.Parse(Report(true))!;
        Assert.Equal((4, 0.05), ((int)step["microBatches"]!, (double)step["seconds"]!));
        Assert.Equal((48, 240.0), ((int)step["kernels"]![0]!["calls"]!, (double)step["kernels"]![0]!["teraFlops"]!));
    }

    [Theory]
    [InlineData(ExitCodes.Failed, "error: cpu:0: devices of cpu have no kernels to measure: name a GPU", "--device", "cpu:0")]
    [InlineData(ExitCodes.WrongUsage, "error: --micro 0: use a number from 1 to 256", "--micro", "0")]
    public async Task What_cannot_be_measured_is_refused(int code, string line, params string[] options)
    {
        using StringWriter output = new(), error = new();
        Assert.Equal(code, await ElasticCommandLine.RunAsync(["kernels", .. options], output, error));
        Assert.StartsWith(line, error.ToString(), StringComparison.Ordinal);
    }

    private static string Report(bool json)
    {
        using var output = new StringWriter();
        KernelsCommand.Report(new CommandOutput(output, json), new DeviceId("cuda:0"), Step);
        return output.ToString();
    }
}
