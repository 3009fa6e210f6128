using Elastic.Messages.Pbm;

namespace Elastic.Pbm.Tests;

/// <summary>The prompt on a terminal: completion, history, Ctrl-C.</summary>
public sealed class PromptTests
{
    [Theory]
    [InlineData("an\t", "animal ")]
    [InlineData("animal f\t", "animal feed ")]
    [InlineData("help animal l\t", "help animal list ")]
    [InlineData("animal feed --f\t", "animal feed --food ")]
    [InlineData("animal feed -p f\t", "animal feed -p fancy ")]
    [InlineData("animal feed -q --pl\t", "animal feed -q --plan ")]
    [InlineData("zzz\t", "zzz")]
    [InlineData("animal zzz f\t", "animal zzz f")]
    public async Task Tab_completes_what_the_catalogue_knows(string typed, string line)
    {
        await using var session = await SessionAsync();
        Assert.Equal(line, Read(session, typed + "\n", out _));
    }

    [Fact]
    public async Task Where_several_words_fit_tab_goes_as_far_as_they_agree_and_then_lists_them()
    {
        await using var session = await SessionAsync();
        Assert.Equal("animal feed --", Read(session, "animal feed -\t\t\n", out var shown));
        Assert.Contains("--food  --name  --plan  --quick", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_of_settings_are_completed_without_a_seed()
    {
        await using var session = new Session(
            new("127.0.0.1", 1), new PbmConsole(TextReader.Null, TextWriter.Null, TextWriter.Null, true), PbmDeadlines.Default,
            Foundation.Transport.Plain, () => null);
        Assert.Equal("run start -s optimizer.warmup-steps=5", Read(session, "run start -s optimizer.wa\t5\n", out _));
    }

    [Fact]
    public async Task Names_of_runs_come_from_the_seed()
    {
        using var seed = new ScriptedSeed();
        PaletteHelp[] palettes =
        [
            new("run", "",
            [
                new("list", "", []),
                new("watch", "", [new("n", "name", "NAME", "", Names: new NamesOf("run", "list", "run"))]),
            ]),
        ];
        var playing = seed.PlayCallAsync(async (_, stream, call) =>
        {
            Assert.Equal(("run", "list", true), (call.Palette, call.Command, call.Json));
            // What a terminal would obey is no name.
            await stream.WriteAsync(new PbmMessage.Line("{\"run\":\"b\\u001b[2J\"}"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.Line("{\"run\":\"b\\u202e\"}"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.Line("{\"run\":\"books\"}"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.Line("{\"run\":\"tiny\"}"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.End(0, ""), TestDeadline.Token);
        }, palettes);
        await using var session = SessionOf(seed);
        Assert.Equal("run watch -n books ", Read(session, "run watch -n b\t\n", out _));
        await playing;
    }

    [Fact]
    public async Task Names_that_nobody_tells_complete_nothing_and_say_nothing()
    {
        var seed = new ScriptedSeed();
        await using var session = SessionOf(seed);
        seed.Dispose();
        Assert.Equal("run watch -n b", Read(session, "run watch -n b\t\n", out _));
    }

    [Fact]
    public async Task Ctrl_c_clears_the_line_and_the_prompt_goes_on()
    {
        await using var session = await SessionAsync();
        var keyboard = new TypedKeyboard("animal nonsense\u0003animal list\n");
        Assert.Equal("animal list", LineReader.Read("> ", new LineEditor(), keyboard, TextWriter.Null, _ => (0, [])));
        Assert.False(keyboard.CtrlCIsKey);                     // while a command runs, it is a signal, and ends the command
    }

    [Fact]
    public async Task A_prompt_ends_with_ctrl_d()
    {
        using var seed = new ScriptedSeed();
        var output = new StringWriter();
        var console = new PbmConsole(TextReader.Null, output, output, true, new TypedKeyboard("zzz\n\u0003\u0004"));
        using var interruption = new Interruption();
        var playing = seed.PlayAsync(async (_, stream) =>
        {
            await stream.ReadAsync(TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.Hello(PbmMessage.Protocol, "test"), TestDeadline.Token);
            await stream.ReadAsync(TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.Catalogue(Catalogues.Zoo), TestDeadline.Token);
            Assert.Null(await stream.ReadAsync(TestDeadline.Token));
        });
        Assert.Equal(ExitCodes.WrongUsage, await PbmCommandLine.RunAsync([seed.Address.ToString()], null, console, interruption));
        await playing;
        Assert.Contains("zzz is no palette here", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_line_that_is_longer_than_the_window_stays_on_one_row()
    {
        var output = new StringWriter();
        var typed = new string('x', 100);
        Assert.Equal(typed, LineReader.Read("> ", new LineEditor(), new TypedKeyboard(typed + "\n") { Width = 20 }, output, _ => (0, [])));
        Assert.All(output.ToString().Split('\r'), row => Assert.InRange(row.Split('\e')[0].TrimEnd('\n').Length, 0, 19));
    }

    private static string? Read(Session session, string typed, out string shown)
    {
        var output = new StringWriter();
        var line = LineReader.Read("> ", new LineEditor(), new TypedKeyboard(typed), output, new Completion(session).Of);
        shown = output.ToString();
        return line;
    }

    private static Session SessionOf(ScriptedSeed seed) => new(
        seed.Address, new PbmConsole(TextReader.Null, TextWriter.Null, TextWriter.Null, true),
        PbmDeadlines.Default with { Names = TimeSpan.FromSeconds(60) }, Foundation.Transport.Plain, () => null);

    // A session that knows the zoo, and whose seed has gone.
    private static async Task<Session> SessionAsync()
    {
        using var seed = new ScriptedSeed();
        var session = SessionOf(seed);
        var playing = seed.PlayCallAsync((_, stream, _) => stream.WriteAsync(new PbmMessage.End(0, ""), TestDeadline.Token));
        await session.RunAsync(CommandLine.Parse(["animal", "list"]), TestDeadline.Token);
        await playing;
        return session;
    }
}
