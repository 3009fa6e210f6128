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
    public void Of_two_assignments_the_last_one_is_told() => Assert.Equal(3, KeyLines.Find("a = 1\n\na = 2\n").Lines["a"]);
}
