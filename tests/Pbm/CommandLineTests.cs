using Elastic.Foundation;

namespace Elastic.Pbm.Tests;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("seed1")]
    [InlineData(":9110")]
    [InlineData("seed1:")]
    [InlineData("seed1:port")]
    [InlineData("seed1:0")]
    [InlineData("seed1:65536")]
    [InlineData("::1:9110")]
    public void What_is_no_address_is_refused_with_an_example(string text)
    {
        var refusal = Assert.Throws<PbmException>(() => SeedAddress.Parse(text));
        Assert.Equal(ExitCodes.WrongUsage, refusal.ExitCode);
        Assert.StartsWith($"{text} is no address (", refusal.Message, StringComparison.Ordinal);
        Assert.EndsWith(
            "write HOST:PORT, with an IPv6 address in brackets, e.g. 127.0.0.1:9110 or [::1]:9110",
            refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1:9110", "127.0.0.1")]
    [InlineData("seed1.example:9110", "seed1.example")]
    [InlineData("[::1]:9110", "::1")]
    public void An_address_reads_as_it_is_written(string text, string host)
    {
        Assert.Equal(new Endpoint(host, 9110), SeedAddress.Parse(text));
        Assert.Equal(text, SeedAddress.Parse(text).ToString());
    }

    [Theory]
    [InlineData("--json run list", "run list")]
    [InlineData("run list --json", "run list")]
    [InlineData("seed1:1 run --json list", "run list")]
    [InlineData("--json seed1:1 run list", "run list")]
    public void Pbm_s_own_options_stand_anywhere(string line, string words)
    {
        var parsed = CommandLine.Parse(line.Split(' '));
        Assert.True(parsed.Json);
        Assert.Equal(words, string.Join(' ', parsed.Words));
        Assert.Equal(line.Contains("seed1", StringComparison.Ordinal) ? new Endpoint("seed1", 1) : (Endpoint?)null, parsed.Address);
    }

    [Theory]
    [InlineData("--certs")]
    [InlineData("--token-file")]
    [InlineData("--script")]
    public void An_option_without_its_text_is_wrong_usage(string option)
    {
        var refusal = Assert.Throws<PbmException>(() => CommandLine.Parse([option, "", "run", "list"]));
        Assert.Equal(ExitCodes.WrongUsage, refusal.ExitCode);
        Assert.StartsWith($"{option} is empty: give ", refusal.Message, StringComparison.Ordinal);
        refusal = Assert.Throws<PbmException>(() => CommandLine.Parse([option, "--tokenfile", "run", "list"]));
        Assert.Equal(ExitCodes.WrongUsage, refusal.ExitCode);
        Assert.EndsWith(
            ": --tokenfile begins like an option; what has that name is ./--tokenfile", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void After_the_end_of_options_words_are_taken_as_they_are()
    {
        var parsed = CommandLine.Parse(["run", "list", "--", "--json"]);
        Assert.False(parsed.Json);
        Assert.Equal(["run", "list", "--", "--json"], parsed.Words);
    }

    [Theory]
    [InlineData("  run   list ", "run|list")]
    [InlineData("a \"b c\" 'd \"e'", "a|b c|d \"e")]
    [InlineData("--name=\"b c\"x", "--name=b cx")]
    [InlineData("a ''", "a|")]
    [InlineData("", "")]
    public void A_line_of_the_prompt_is_cut_as_a_shell_cuts_it(string line, string words) =>
        Assert.Equal(words, string.Join('|', Words.Split(line)));

    [Fact]
    public void A_quote_that_is_left_open_is_wrong_usage() =>
        Assert.Equal(ExitCodes.WrongUsage, Assert.Throws<PbmException>(() => Words.Split("run start -n \"a")).ExitCode);
}
