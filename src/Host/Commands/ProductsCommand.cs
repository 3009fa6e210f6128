using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Host.Commands;

/// <summary><c>elastic products</c>: how fast a GPU computes the products of a training step, and by which algorithms.</summary>
internal static class ProductsCommand
{
    // Logits of so many rows, in the types of both ways, fit 80 GB.
    private const int MostRows = 1 << 16;

    public static Command Build()
    {
        var device = CommonOptions.Gpu("The GPU to measure.");
        var rows = CommonOptions.Number("--rows", "Tokens of a micro-batch.", 1, MostRows, 4096);
        var json = CommandOutput.Option();
        var command = new TeachingCommand("products",
            "Measures the products of a training step of GPT-2 124M in bf16 on a GPU, in builds for GPUs: TFLOP/s of each shape, beside "
            + "libtorch's own product, and the algorithm of cublasLt that was chosen for it. Ends with exit code 1 where one is not the "
            + "product, or has other bits the second time.",
            """
            elastic products                        on cuda:0, with 4096 tokens
            elastic products --device cuda:1 --rows 16384
            """)
        { device, rows, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var output = CommandOutput.Of(parsed, json);
            var id = CommonOptions.GpuOf(parsed, device);
            var times = await Task.Run(() => DeviceBackends.Of(id).TimeProducts(id, parsed.GetValue(rows)), cancel);
            return Report(output, id, times);
        });
        return command;
    }

    /// <summary>A line for each product, and one about all.</summary>
    /// <returns>The exit code.</returns>
    internal static int Report(CommandOutput output, DeviceId device, IReadOnlyList<ProductTime> times)
    {
        output.Say(times.Select(Line));
        var wrong = times.Where(t => !t.IsWell).Select(t => t.Name).ToList();
        output.Say(wrong.Count == 0
            ? $"all {times.Count} are the product, with the same bits twice"
            : $"not the product, or not with the same bits twice: {string.Join("; ", wrong)}");
        output.Result(new JsonObject { ["device"] = device.Value, ["products"] = new JsonArray([.. times.Select(Json)]) });
        return wrong.Count == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static string Line(ProductTime time) => string.Create(
        CultureInfo.InvariantCulture,
        $"{time.Name,-36} {time.Shape,-36} {time.TeraFlops,7:0.0} TFLOP/s, libtorch's {time.PlainTeraFlops:0.0}; {time.Algorithm}");

    private static JsonNode Json(ProductTime time) => new JsonObject
    {
        ["name"] = time.Name,
        ["shape"] = time.Shape,
        ["algorithm"] = time.Algorithm,
        ["seconds"] = time.Seconds,
        ["teraFlops"] = time.TeraFlops,
        ["libtorchTeraFlops"] = time.PlainTeraFlops,
        ["distance"] = time.Distance,
        ["repeats"] = time.Repeats,
        ["isWell"] = time.IsWell,
    };
}
