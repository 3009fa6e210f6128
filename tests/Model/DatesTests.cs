using System.Globalization;
using Elastic.Kernels;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Generation;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;

namespace Elastic.Model.Tests;

/// <summary>The encoder-decoder learns a task: to write dates in one way, whichever of many ways it reads, e.g. "12 March 2021".</summary>
public class DatesTests(ITestOutputHelper output)
{
    private const int Context = 20, Rows = 64, Steps = 500;
    private const string Letters = "\0 0123456789-/.,abcdefghijklmnopqrstuvwxyz";     // the end of a text first

    private static readonly string[] Formats =
        ["d MMMM yyyy", "MMMM d, yyyy", "d MMM yyyy", "MMM d, yyyy", "d.M.yyyy", "yyyy/MM/dd", "ddd d MMM yyyy", "d 'of' MMMM yyyy"];

    [Fact]
    public void Dates_of_many_formats_are_written_in_one_to_over_95_percent_exact_match()
    {
        var model = Samples.Of("transformer", 2, 4, 64, Context, Letters.Length);
        var (architecture, numbers) = (Architectures.Open(model), KeyedRandom.Of(3, "dates"));
        using var vectors = Samples.Initialized(model);
        var optimizer = OptimizerSettings.Defaults with { Betas = new NumberPair(0.9, 0.98), WeightDecay = 0 };
        Samples.Train(
            architecture, new AdamW(optimizer), vectors, 1,
            Enumerable.Range(0, Steps).Select(step => architecture.Batching.MicroBatches(
                [.. Enumerable.Range(0, Rows).Select(row => SampleOf(Pair(step * Rows + row)))], Rows)),
            labelSmoothing: 0.1, rate: step => 3e-3 * Math.Min((step + 1) / 100.0, (Steps - step) / (Steps - 100.0)));

        using var device = Samples.Device(vectors, model);
        const int asked = 100;
        var right = 0;
        for (var i = 0; i < asked; i++)
        {
            var (source, target) = Pair(1_000_000 + i);
            var tokens = Tokens(source);
            using var texts = new BeamTexts(device, tokens, Context);
            var found = new BeamSearch(texts.Logits, new BeamSettings()).Find(0, 0, Context);
            var answer = string.Concat(found.Select(token => Letters[token]));
            right += answer == target ? 1 : 0;
            if (answer != target)
                output.WriteLine($"{source}: {answer}");
        }
        output.WriteLine($"{right} of {asked}");
        Assert.True(right > 0.95 * asked, $"{right} of {asked} dates");

        (string Source, string Target) Pair(int number)
        {
            var date = new DateTime(1960, 1, 1).AddDays((int)(numbers.Uniform(2 * (ulong)number) * 80 * 365));
            var format = Formats[(int)(numbers.Uniform(2 * (ulong)number + 1) * Formats.Length)];
            return (Written(format).ToLowerInvariant(), Written("yyyy-MM-dd"));

            string Written(string form) => date.ToString(form, CultureInfo.InvariantCulture);
        }
    }

    // With its end.
    private static int[] Tokens(string text) => [.. text.Select(c => Letters.IndexOf(c, StringComparison.Ordinal)).Append(0).Take(Context)];

    private static Sample SampleOf((string Source, string Target) pair)
    {
        var (elements, source, target) = (new int[2 * Context + 1], Tokens(pair.Source), Tokens(pair.Target));
        source.CopyTo(elements, 0);
        if (source.Length < Context)
            elements[source.Length] = SampleElement.Begins;
        elements.AsSpan(Context).Fill(SampleElement.NotCounted);
        target.CopyTo(elements, Context + 1);
        return new Sample(elements);
    }
}
