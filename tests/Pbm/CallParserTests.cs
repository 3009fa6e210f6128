using Elastic.Messages.Pbm;

namespace Elastic.Pbm.Tests;

public sealed class CallParserTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("animl list", "animl is no palette here: did you mean animal?")]
    [InlineData("animal lst", "lst is no command of animal here: did you mean list?")]
    [InlineData("animal", "animal needs a command: feed, list")]
    [InlineData("animal feed", "-n NAME is missing. Names the animal.")]
    [InlineData("animal feed -n", "-n needs a value: -n NAME")]
    [InlineData("animal feed -n -q", "-n needs a value: -n NAME")]
    [InlineData("animal feed -n --", "-n needs a value: -n NAME")]
    [InlineData("animal feed -n --quik",
        "-n needs a value: -n NAME, or --name=--quik where that is the value\n--quik is no argument of feed: did you mean --quick?")]
    [InlineData("animal feed -n --food=b", "-n needs a value: -n NAME")]
    [InlineData("animal feed -n a -n b", "-n can be given only once")]
    [InlineData("animal feed -n a --fod b",
        "--fod is no argument of feed: did you mean --food?\n" +
        "b: feed takes no bare words; its arguments are -n, --name, -f, --food, -q, --quick, -p, --plan")]
    [InlineData("animal feed -n a --quick=yes", "--quick takes no value")]
    [InlineData("animal feed -n a -fmeat", "-fmeat is no argument of feed: did you mean -f?")]
    [InlineData("animal feed -n a -- -f", "-f: feed takes no bare words; name the argument before it")]
    [InlineData("animal list all", "all: list takes no bare words and no arguments")]
    [InlineData("animal feed -n a -p fansy",
        "-p fansy: there is no such file here, and the server knows only plain, fancy (did you mean fancy?)")]
    public void What_does_not_fit_is_named_with_what_would(string line, string problem)
    {
        var refusal = Assert.Throws<PbmException>(() => Parse(line));
        Assert.Equal(ExitCodes.WrongUsage, refusal.ExitCode);
        Assert.Equal(problem, refusal.Message);
        Assert.EndsWith("--help", refusal.See, StringComparison.Ordinal);
    }

    [Fact]
    public void All_problems_are_told_at_once() =>
        Assert.Equal(3, Assert.Throws<PbmException>(() => Parse("animal feed -n a -n b --fod=x -q=1")).Message.Split('\n').Length);

    [Fact]
    public void A_machine_without_a_port_is_taken_for_an_address_that_lacks_one() =>
        Assert.EndsWith(
            "an address needs a port: seed1:9110",
            Assert.Throws<PbmException>(() => Parse("seed1 animal list")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("-n leo", "name=leo")]
    [InlineData("--name leo", "name=leo")]
    [InlineData("--name=leo", "name=leo")]
    [InlineData("--name=", "name=")]
    [InlineData("-n a=b", "name=a=b")]
    [InlineData("--name=a=b", "name=a=b")]
    [InlineData("-n -5", "name=-5")]
    [InlineData("--name=--quik", "name=--quik")]
    [InlineData("-n leo -f a --food b -f=c", null)]
    [InlineData("-n leo -f a --food b --food=c", "name=leo food=a food=b food=c")]
    [InlineData("-q -n leo", "quick= name=leo")]
    [InlineData("-n leo --", "name=leo")]
    [InlineData("-n leo -p plain", "name=leo plan=plain")]
    public void Values_come_in_the_usual_ways_and_keep_their_order(string arguments, string? values)
    {
        if (values is null)
            Assert.Throws<PbmException>(() => Parse($"animal feed {arguments}"));       // a short name does not take '='
        else
            Assert.Equal(values, string.Join(' ', Parse($"animal feed {arguments}").Values.Select(v => $"{v.Argument}={v.Value}")));
    }

    [Fact]
    public void The_text_of_a_file_travels_with_its_name_and_a_choice_beats_a_file()
    {
        var file = Path.Combine(_folder, "mine.conf");
        File.WriteAllText(file, "run { seed = 7 }");
        var call = Parse($"animal feed -n leo -p plain -p {file}");
        Assert.Equal(
            [new CallValue("name", "leo"), new CallValue("plan", "plain"), new CallValue("plan", file, "run { seed = 7 }")], call.Values);
    }

    [Fact]
    public void A_server_that_calls_an_argument_a_file_is_not_sent_one()
    {
        var file = Path.Combine(_folder, "secret");
        File.WriteAllText(file, "secret");
        foreach (var own in new[] { OwnCatalogue.Palettes, Zoo(ArgumentKind.Value), [] })
            Assert.Contains(
                "the seed asks for a file there, and this pbm knows of none",
                Assert.Throws<PbmException>(
                    () => new CallParser(Zoo(ArgumentKind.ChoiceOrFile), own).Parse(["zoo", "feed", "-p", file], json: false)).Message,
                StringComparison.Ordinal);
        var zoo = Zoo(ArgumentKind.ChoiceOrFile);
        Assert.Equal("secret", Assert.Single(new CallParser(zoo, zoo).Parse(["zoo", "feed", "-p", file], json: false).Values).FileText);

        static PaletteHelp[] Zoo(ArgumentKind kind) =>
            [new PaletteHelp("zoo", "", [new CommandHelp("feed", "", [new ArgumentHelp("p", "plan", "PLAN", "", Kind: kind)])])];
    }

    [Fact]
    public void A_file_that_is_far_too_long_is_not_read()
    {
        var file = Path.Combine(_folder, "huge");
        using (var huge = File.Create(file))
            huge.SetLength(1L << 30);
        Assert.Contains(
            "1073741824 bytes; at most 131072 are sent",
            Assert.Throws<PbmException>(() => Parse($"animal feed -n leo -p {file}")).Message, StringComparison.Ordinal);
    }

    private static PbmMessage.Call Parse(string line) => new CallParser(Catalogues.Zoo, Catalogues.Zoo).Parse(line.Split(' '), json: false);
}
