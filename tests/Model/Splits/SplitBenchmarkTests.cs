using System.Globalization;
using System.Text.RegularExpressions;
using Elastic.Messages.Settings;
using Elastic.Step;

namespace Elastic.Model.Tests.Splits;

public sealed partial class SplitBenchmarkTests
{
    [Fact]
    public void The_benchmark_compares_splits_of_two_devices_and_what_goes_over_the_cut_is_what_the_planner_says()
    {
        var model = ModelSettings.Defaults with { Layers = 2, Heads = 2, Width = 32, Context = 8, Vocabulary = 64 };
        using var output = new StringWriter();
        SplitContest.Run(
            (devices, threads, split) => new Ours(model, 4, 8, 1, devices, threads, split: split), 2, 1, 2, 1, output);
        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            ["one device, 2 threads", "tensor:2", "pipeline:2", "2 devices, a micro-batch each"],
            lines.Take(4).Select(l => l.Split("   ")[0].Trim()[..Math.Min(29, l.Split("   ")[0].Trim().Length)].Trim()));
        Assert.Contains("(p-1)/(m+p-1) with p = 2, m = 4: 20.0", lines[4], StringComparison.Ordinal);
        // Counted as stages copy, and computed from the tape: one micro-batch has 8 x 32 floats, four of them in a step.
        var (copied, planned) = (Number(lines[5], 0), Number(lines[5], 1));
        Assert.Equal(4 * 8 * 32 * sizeof(float) / (double)(1 << 20), copied, 0.0006);
        Assert.Equal(planned, copied);

        static double Number(string line, int index) =>
            double.Parse(Fractions().Matches(line)[index].Value, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"\d+\.\d{3}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Fractions();
}
