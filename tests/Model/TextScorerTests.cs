using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Evaluation;
using Elastic.Model.Networks;
using Elastic.Model.Training;

namespace Elastic.Model.Tests;

/// <summary>Losses of texts, against a model of which they are known, and against a plain loop over logits.</summary>
public class TextScorerTests
{
    private const int EndOfText = 96;

    private static readonly ModelSettings Model = Samples.Tiny();

    [Theory]
    [InlineData(0, 16, 16)]
    [InlineData(1, 16, 16, "0+1/1")]
    [InlineData(16, 16, 16, "0+16/16")]
    [InlineData(35, 16, 16, "0+16/16", "16+16/16", "32+3/3")]
    [InlineData(30, 16, 6, "0+16/16", "6+16/6", "12+16/6", "18+12/2")]
    [InlineData(18, 16, 1, "0+16/16", "1+16/1", "2+16/1")]
    public void Windows_score_each_token_once(int tokens, int context, int stride, params string[] windows)
    {
        var cut = TextWindow.Of(tokens, context, stride).ToList();
        Assert.Equal(windows, cut.Select(w => $"{w.First}+{w.Count}/{w.Scored}"));
        Assert.Equal(tokens, cut.Sum(w => w.Scored));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(17)]
    public void A_stride_beyond_the_context_is_refused(int stride)
        => Assert.Throws<ArgumentOutOfRangeException>(() => TextWindow.Of(10, 16, stride));

    // Logits that do not depend on the input: a head over the bias of the last norm, whose gain is zero.
    [Theory]
    [InlineData(16)]
    [InlineData(5)]
    public void Bits_per_byte_of_known_probabilities_are_the_closed_form(int stride)
    {
        using var vectors = Samples.Initialized(Model);
        using var device = Samples.Device(vectors, Model);
        var random = new Random(3);
        var weights = Enumerable.Range(0, Model.Vocabulary).Select(_ => random.NextDouble() + 0.01).ToList();
        var logs = weights.Select(w => Math.Log(w / weights.Sum())).ToList();
        foreach (var (token, log) in logs.Index())
        {
            var row = new float[Model.Width];
            row[0] = (float)log;
            vectors.CopyFrom(VectorSet.Parameters, vectors.Layout[Gpt2Architecture.Head].Offset + token * Model.Width, row);
        }
        var bias = new float[Model.Width];
        bias[0] = 1;
        vectors.CopyFrom(VectorSet.Parameters, vectors.Layout[Gpt2Architecture.FinalNorm + ".weight"].Offset, new float[Model.Width]);
        vectors.CopyFrom(VectorSet.Parameters, vectors.Layout[Gpt2Architecture.FinalNorm + ".bias"].Offset, bias);

        var scorer = new TextScorer(device, EndOfText);
        var (nats, tokens, bytes) = (0.0, 0, 0);
        for (var text = 0; text < 40; text++)
        {
            var written = Enumerable.Range(0, text * 3).Select(_ => random.Next(EndOfText)).ToArray();
            Add(scorer, $"source {text % 3}", written, 5 * text, stride);
            (nats, tokens, bytes) = (nats - written.Sum(t => logs[t]), tokens + written.Length, bytes + 5 * text);
        }
        scorer.Complete();
        var all = scorer.Sums.Total;
        Assert.Equal((tokens, bytes), (all.Targets, all.Bytes));
        Assert.Equal(1, all.BitsPerByte / (nats / (bytes * Math.Log(2))), 1e-6);
        Assert.Equal(1, all.Perplexity / Math.Exp(nats / tokens), 1e-5);
        Assert.Equal(["source 0", "source 1", "source 2"], scorer.Sums.Sources.Names);
        Assert.Equal(all.Targets, scorer.Sums.Sources.Names.Sum(n => scorer.Sums.Sources[n].Targets));
    }

    [Theory]
    [InlineData(16)]
    [InlineData(7)]
    [InlineData(1)]
    public void Perplexity_with_a_stride_is_that_of_a_plain_loop(int stride)
    {
        using var vectors = Samples.Initialized(Model);
        vectors.CopyFrom(VectorSet.Parameters, 0, [.. Samples.Values(vectors.Parameters).Select(v => 3 * v)]);
        using var device = Samples.Device(vectors, Model);
        var random = new Random(5);
        int[][] texts = [.. new[] { 50, 3, 17 }.Select(n => Enumerable.Range(0, n).Select(_ => random.Next(EndOfText)).ToArray())];
        var scorer = new TextScorer(device, EndOfText);
        foreach (var text in texts)
            Add(scorer, "all", text, text.Length, stride);
        scorer.Complete();
        var expected = texts.Sum(text => Nats(device, text, stride));
        Assert.Equal(texts.Sum(t => t.Length), scorer.Sums.Sources["all"].Targets);
        Assert.Equal(1, scorer.Sums.Sources["all"].Nats / expected, 1e-5);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(7)]
    public void Of_an_instruction_only_what_is_counted_is_scored_given_all_before_it(int stride)
    {
        using var vectors = Samples.Initialized(Model);
        vectors.CopyFrom(VectorSet.Parameters, 0, [.. Samples.Values(vectors.Parameters).Select(v => 3 * v)]);
        using var device = Samples.Device(vectors, Model);
        var random = new Random(7);
        int[] tokens = [.. Enumerable.Range(0, 41).Select(_ => random.Next(EndOfText)), EndOfText];
        // Two prompts and two answers, the second of which ends the text; a window in the middle scores nothing.
        bool IsAsked(int place) => place < 4 || (place is > 9 and < 36);
        int[] elements = [.. tokens.Select((t, place) => t | (IsAsked(place) ? SampleElement.NotCounted : 0))];
        var rows = TextRow.Of("all", null, elements, 99, Model.Context, stride).ToList();
        var scorer = new TextScorer(device, EndOfText);
        rows.ForEach(scorer.Add);
        scorer.Complete();
        var expected = Enumerable.Range(1, tokens.Length - 1).Where(place => !IsAsked(place))
            .Sum(place => Nats(device, tokens, place, stride));
        Assert.Equal((12L, 99L), (scorer.Sums.Total.Targets, scorer.Sums.Total.Bytes));
        Assert.Equal(1, scorer.Sums.Total.Nats / expected, 1e-5);
        var travelled = ScoredPiece.Read(ScoredPiece.Write([.. rows.Select(r => r.Row)]), Model);
        Assert.Equal(new RowScorer(device, 0).Nats([.. rows.Select(r => r.Row)]), new RowScorer(device, 5).Nats(travelled));
    }

    [Fact]
    public void Other_texts_beside_a_text_change_no_bit_of_its_sum()
    {
        using var vectors = Samples.Initialized(Model);
        using var device = Samples.Device(vectors, Model);
        int[] text = [.. Enumerable.Range(0, 40)];
        ScoreSum Score(params int[][] others)
        {
            var scorer = new TextScorer(device, EndOfText);
            foreach (var other in others)
                Add(scorer, "other", other, 1, 9);
            Add(scorer, "text", text, 40, 9);
            scorer.Complete();
            return scorer.Sums.Sources["text"];
        }
        Assert.Equal(Score(), Score([1, 2, 3], [.. Enumerable.Repeat(7, 100)], [4]));
    }

    private static void Add(TextScorer scorer, string source, int[] tokens, long bytes, int stride)
    {
        foreach (var row in TextRow.Of(source, null, (int[])[EndOfText, .. tokens], bytes, Model.Context, stride))
            scorer.Add(row);
    }

    // Where the token at `place` is the first that no window before has scored, its context is that window's beginning.
    private static double Nats(TrainingDevice device, int[] text, int stride)
    {
        int[] read = [EndOfText, .. text];
        return Enumerable.Range(1, text.Length).Sum(place => Nats(device, read, place, stride));
    }

    // Of the token at `place`, which follows others.
    private static double Nats(TrainingDevice device, int[] read, int place, int stride)
    {
        var window = 0;
        while (place > window + Model.Context)
            window += stride;
        var logits = device.Logits(read.AsSpan(window, place - window));
        var largest = logits.Max();
        return largest + Math.Log(logits.Sum(l => Math.Exp((double)l - largest))) - logits[read[place]];
    }
}
