using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Host.Commands;

/// <summary><c>elastic kernels</c>: what a training step spends its time on, kernel by kernel.</summary>
internal static class KernelsCommand
{
    // More of GPT-2 124M fit no GPU.
    private const int MostRows = 256;

    public static Command Build()
    {
        var device = CommonOptions.Gpu("The GPU to measure.");
        var micro = CommonOptions.Number("--micro", "Sequences of 1024 tokens of a micro-batch.", 1, MostRows, 4);
        var json = CommandOutput.Option();
        var command = new TeachingCommand("kernels",
            "Takes training steps of GPT-2 124M in bf16 on a GPU, in builds for GPUs, and measures one of them kernel by kernel, by the "
            + "GPU's own clock: calls, milliseconds and their share of a step, TFLOP/s of products and attention, and GB/s of the others. "
            + "What is left of the step are libtorch's own operators, copies, and gaps between kernels.",
            """
            elastic kernels                         on cuda:0, 4 sequences at once
            elastic kernels --device cuda:1 --micro 32
            """)
        { device, micro, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var output = CommandOutput.Of(parsed, json);
            var id = CommonOptions.GpuOf(parsed, device);
            var times = await Task.Run(() => DeviceBackends.Of(id).TimeStep(id, parsed.GetValue(micro)), cancel);
            Report(output, id, times);
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>A line for each kernel, and one about the step.</summary>
    internal static void Report(CommandOutput output, DeviceId device, StepTimes step)
    {
        output.Say(step.Kernels.Select(k => Line(k, step.Seconds)));
        var kernels = step.Kernels.Sum(k => k.Seconds);
        output.Say(string.Create(
            CultureInfo.InvariantCulture,
            $"a step of {step.MicroBatches} micro-batches takes {1000 * step.Seconds:0.00} ms: "
            + $"these kernels {1000 * kernels:0.00}, the rest {1000 * step.RestSeconds:0.00}"));
        output.Result(new JsonObject
        {
            ["device"] = device.Value,
            ["microBatches"] = step.MicroBatches,
            ["seconds"] = step.Seconds,
            ["kernels"] = new JsonArray([.. step.Kernels.Select(Json)]),
        });
    }

    private static string Line(KernelTime kernel, double step) => string.Create(
        CultureInfo.InvariantCulture,
        $"{kernel.Name,-48} {kernel.Calls,5} calls {1000 * kernel.Seconds,9:0.000} ms {100 * kernel.Seconds / step,5:0.0} %")
        + (kernel.GigabytesPerSecond > 0 ? string.Create(CultureInfo.InvariantCulture, $" {kernel.GigabytesPerSecond,6:0} GB/s") : "")
        + (kernel.TeraFlops > 0 ? string.Create(CultureInfo.InvariantCulture, $" {kernel.TeraFlops,6:0.0} TFLOP/s") : "");

    private static JsonNode Json(KernelTime kernel) => new JsonObject
    {
        ["name"] = kernel.Name,
        ["calls"] = kernel.Calls,
        ["seconds"] = kernel.Seconds,
        ["teraFlops"] = kernel.TeraFlops,
        ["gigabytesPerSecond"] = kernel.GigabytesPerSecond,
    };
}
