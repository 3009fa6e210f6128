using System.Text.Json.Nodes;
using Elastic.Host.Commands;
using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Host.Tests.Commands;

/// <summary>What <c>elastic products</c> says; no GPU is here, so the times are made up.</summary>
public sealed class ProductsCommandTests
{
    private static readonly ProductTime Forward = new(
        "up, forward", "bf16 4096x3072x768 NN to fp32", "algorithm 66", 3e-5, 4e-5, 1.92e10, 1e-7, true);

    [Fact]
    public void Each_product_has_a_line_with_its_speed_and_its_algorithm()
    {
        Assert.Equal(
            (ExitCodes.Done, """
            up, forward                          bf16 4096x3072x768 NN to fp32          640.0 TFLOP/s, libtorch's 480.0; algorithm 66
            all 1 are the product, with the same bits twice

            """),
            Report([Forward]));
        var (code, text) = Report([Forward, Forward with { Name = "down, forward", Repeats = false }]);
        Assert.Equal(ExitCodes.Failed, code);
        Assert.EndsWith("not the product, or not with the same bits twice: down, forward\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Programs_get_one_object()
    {
        var (_, text) = Report([Forward], json: true);
        var product = JsonNode.Parse(text)!["products"]![0]!;
        Assert.Equal(("bf16 4096x3072x768 NN to fp32", "algorithm 66", true), (
            (string)product["shape"]!, (string)product["algorithm"]!, (bool)product["isWell"]!));
        Assert.Equal(640, (double)product["teraFlops"]!, 9);
    }

    [Theory]
    [InlineData(ExitCodes.Failed, "error: cpu:0: products of cpu are Elastic's or libtorch's own: name a GPU", "--device", "cpu:0")]
    [InlineData(ExitCodes.WrongUsage, "error: --rows 0: use a number from 1 to 65536", "--rows", "0")]
    public async Task What_cannot_be_measured_is_refused(int code, string line, params string[] options)
    {
        using StringWriter output = new(), error = new();
        Assert.Equal(code, await ElasticCommandLine.RunAsync(["products", .. options], output, error));
        Assert.StartsWith(line, error.ToString(), StringComparison.Ordinal);
    }

    private static (int Code, string Text) Report(IReadOnlyList<ProductTime> times, bool json = false)
    {
        using var output = new StringWriter();
        var code = ProductsCommand.Report(new CommandOutput(output, json), new DeviceId("cuda:0"), times);
        return (code, output.ToString());
    }
}
