using System.Text.Json;

namespace Elastic.Corpus.Tests.Metrics;

/// <summary>
/// BLEU and chrF against scores that sacreBLEU publishes in its documentation and tests, against make_metrics.py, and by hand. Tolerance:
/// the digits that are published, else 1e-9.
/// </summary>
public class MetricTests
{
    private static readonly string[] Hypotheses = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."];

    private static readonly string[][] References =
    [
        ["The dog bit the man.", "The dog had bit the man."],
        ["It was not unexpected.", "No one was surprised."],
        ["The man bit him first.", "The man had bitten the dog."],
    ];

    [Fact]
    public void The_example_of_sacreBLEUs_documentation_has_its_scores()
    {
        var (bleu, chrf) = (new Bleu(), new Chrf());
        foreach (var (hypothesis, references) in Hypotheses.Zip(References))
        {
            bleu.Add(hypothesis, references);
            chrf.Add(hypothesis, references);
        }
        Assert.Equal(48.530827, bleu.Score().Score, 1e-6);
        Assert.Equal("82.4/50.0/45.5/37.5 (BP = 0.943 ratio = 0.944 hyp_len = 17 ref_len = 18)", bleu.Score().ToString());
        Assert.Equal(59.73, chrf.Score(), 0.005);
        Assert.Equal("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp", bleu.Signature);
        Assert.Equal("nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no", chrf.Signature);
    }

    // Its tests have them for β = 3.
    [Theory]
    [InlineData(63.361730,
        "risk assessment has to be undertaken by those who are qualified and expert in that area - that is the scientists .",
        " risk assessment must be made of those who are qualified and expertise in the sector - these are the scientists .")]
    [InlineData(64.1302698, "Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich.",
        " Die    Beziehung zwischen  Obama und Netanjahu ist nicht gerade  freundlich. ")]
    [InlineData(100, "a", "a")]
    [InlineData(100, "abc", "a b c")]
    [InlineData(25, "ab", "aa")]
    [InlineData(0, "reference", "")]
    public void ChrF_agrees_with_sacreBLEUs_tests(double score, string reference, string hypothesis)
    {
        var chrf = new Chrf(beta: 3);
        chrf.Add(hypothesis, [reference]);
        Assert.Equal(score, chrf.Score(), 1e-6);
    }

    // By hand: of "the the the the the the the" two count, as the reference has two (Papineni et al. 2002, section 2.1).
    [Fact]
    public void Counts_are_clipped_and_smoothing_halves_each_time()
    {
        var bleu = new Bleu();
        bleu.Add("the the the the the the the", ["the cat is on the mat"]);
        var score = bleu.Score();
        double[] expected = [100 * 2.0 / 7, 100 * 1.0 / 2 / 6, 100 * 1.0 / 4 / 5, 100 * 1.0 / 8 / 4];
        Assert.Equal(expected, score.Precisions, (a, b) => Math.Abs(a - b) < 1e-12);
        Assert.Equal(1, score.BrevityPenalty);
        Assert.Equal(Math.Pow(expected.Aggregate((a, b) => a * b), 0.25), score.Score, 1e-9);
    }

    [Theory]
    [InlineData("Hello, world!", "Hello", ",", "world", "!")]
    [InlineData("It costs 3.14, or 1,000.5 - don't", "It", "costs", "3.14", ",", "or", "1,000.5", "-", "don't")]
    [InlineData("1-2 a-b", "1", "-", "2", "a-b")]
    [InlineData("&quot;x&quot; &amp; y&lt;z", "\"", "x", "\"", "&", "y", "<", "z")]
    [InlineData(" a.b. ", "a", ".", "b", ".")]
    [InlineData("<skipped>a/b", "a", "/", "b")]
    [InlineData("")]
    public void Tokens_are_those_of_13a(string line, params string[] tokens) => Assert.Equal(tokens, Tokenization13a.Of(line));

    [Fact]
    public void Made_up_lines_of_signs_and_other_scripts_have_the_scores_of_an_independent_program()
    {
        using var stream = typeof(MetricTests).Assembly.GetManifestResourceStream("metrics.json")!;
        using var document = JsonDocument.Parse(stream);
        Assert.Equal(2, document.RootElement.GetArrayLength());
        foreach (var set in document.RootElement.EnumerateArray())
        {
            var references = set.GetProperty("references").EnumerateArray()
                .Select(r => r.EnumerateArray().Select(l => l.GetString()!).ToList()).ToList();
            var (bleu, chrf) = (new Bleu(), new Chrf());
            foreach (var (i, line) in set.GetProperty("hypotheses").EnumerateArray().Index())
            {
                bleu.Add(line.GetString()!, [.. references.Select(r => r[i])]);
                chrf.Add(line.GetString()!, [.. references.Select(r => r[i])]);
            }
            Assert.Equal(set.GetProperty("bleu").GetDouble(), bleu.Score().Score, 1e-9);
            Assert.Equal(set.GetProperty("chrf").GetDouble(), chrf.Score(), 1e-9);
        }
    }

    [Fact]
    public void Nothing_in_common_is_zero()
    {
        var (bleu, chrf) = (new Bleu(), new Chrf());
        bleu.Add("", ["a b"]);
        chrf.Add("", ["a b"]);
        Assert.Equal((0, 0, 0), (bleu.Score().Score, bleu.Score().BrevityPenalty, chrf.Score()));
        bleu.Add("x y z w v", ["a b c d e"]);
        Assert.Equal(0, bleu.Score().Score);
    }
}
