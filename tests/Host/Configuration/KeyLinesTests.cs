using Elastic.Host.Configuration;

namespace Elastic.Host.Tests.Configuration;

public sealed class KeyLinesTests
{
    [Fact]
    public void Keys_are_found_through_nesting_lists_strings_and_comments()
    {
        const string text = """
            # run { name = commented }
            run { name = a, seed = 1 }
            optimizer.betas = [ # two
              0.9,
              0.95 ]
            model
            {
              "init" = "a { b = c } # d"   // not the end
              deep { er : 1 }
            }
            corpus.tokenizer=gpt2
            """;
        var keys = KeyLines.Find(text);
        Assert.Null(keys.Mismatch);
        Assert.Equal(2, keys.Lines["run.name"]);
        Assert.Equal(2, keys.Lines["run.seed"]);
        Assert.Equal(3, keys.Lines["optimizer.betas"]);
        Assert.Equal(8, keys.Lines["model.init"]);
        Assert.Equal(9, keys.Lines["model.deep.er"]);
        Assert.Equal(11, keys.Lines["corpus.tokenizer"]);
    }

    [Fact]
    public void A_comment_behind_a_key_or_a_value_opens_nothing_and_hides_no_key()
    {
        const string text = """
            run.rounds = 3 // see [1 for the "number
            model // of { two
            {
              layers = 2 # not [3
              init = "s3://bucket/a" // the { weights
              width = // on a line of its own
                64
            }
            corpus.sources = [ // two [
              "a/b", # "
              "https://host/c//d" ]
            run.name = one//two
            run.seed = 4
            """;
        Assert.Null(KeyLines.Find(text).Mismatch);
        Assert.Null(KeyLines.Find("run.rounds = 3 // see [1 for the number\nmodel // of {\n{ layers = 2 }").Mismatch);
        var values = ConfigurationLayer.Parse("mine.conf", text).Values.ToDictionary(v => v.Key, v => (string.Join(' ', v.Items), v.Where));
        Assert.Equal(
            [
                ("corpus.sources", ("a/b https://host/c//d", "mine.conf, line 9")), ("model.init", ("s3://bucket/a", "mine.conf, line 5")),
                ("model.layers", ("2", "mine.conf, line 4")), ("model.width", ("64", "mine.conf, line 6")),
                ("run.name", ("one", "mine.conf, line 12")), ("run.rounds", ("3", "mine.conf, line 1")),
                ("run.seed", ("4", "mine.conf, line 13")),
            ],
            values.Select(v => (v.Key, v.Value)).OrderBy(v => v.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void Of_two_assignments_the_last_one_is_told() => Assert.Equal(3, KeyLines.Find("a = 1\n\na = 2\n").Lines["a"]);
}
