using System.Runtime.InteropServices;
using Elastic.Host.Display;
using Elastic.Messages.Runs;
using Spectre.Console;
using LiveDisplay = Elastic.Host.Display.LiveDisplay;

namespace Elastic.Host.Tests.Display;

public sealed class TerminalTests
{
    private const string ShowCursor = "\e[?25h", ClearScreen = "\e[2J";

    [Fact]
    public void A_stopped_process_leaves_the_cursor_visible_and_stops_after_that()
    {
        var output = new StringWriter();
        var shownBefore = "";
        var terminal = new Terminal(output, () => shownBefore = output.ToString());
        Assert.True(terminal.Handle(LinuxSignals.TerminalStop));
        Assert.Contains(ShowCursor, shownBefore, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PosixSignal.SIGQUIT)]
    [InlineData(PosixSignal.SIGINT)]
    [InlineData(PosixSignal.SIGTERM)]
    public void A_process_that_may_end_shows_the_cursor_and_leaves_the_rest_to_others(PosixSignal signal)
    {
        var output = new StringWriter();
        Assert.False(new Terminal(output, () => { }).Handle(signal));
        Assert.Equal(ShowCursor, output.ToString());
    }

    [Theory]
    [InlineData(LinuxSignals.Continue)]
    [InlineData(LinuxSignals.WindowChange)]
    public async Task A_screen_that_others_wrote_on_is_cleared_and_drawn_anew_with_its_notices(PosixSignal signal)
    {
        var output = new StringWriter();
        var terminal = new Terminal(output, () => { });
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        { Ansi = AnsiSupport.Yes, Interactive = InteractionSupport.No, Out = new AnsiConsoleOutput(output) });
        await using (var display = new LiveDisplay(console, terminal))
        {
            display.Notice("a notice that stays");
            display.Show(Views.Tiny with { Phase = RunPhase.Computing });
            Assert.False(terminal.Handle(signal));
        }

        var anew = output.ToString().Split(ClearScreen)[^1];
        Assert.Contains("a notice that stays", anew, StringComparison.Ordinal);
        Assert.Contains("round 5/40", anew, StringComparison.Ordinal);
    }

    [Fact]
    public void A_notice_with_an_address_is_left_in_one_piece_and_others_are_folded()
    {
        const string address = "dashboard http://127.0.0.1:4090/#token=0123456789abcdef0123456789abcdef";
        var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        { Ansi = AnsiSupport.No, Interactive = InteractionSupport.No, Out = new AnsiConsoleOutput(output) });
        console.Profile.Width = 40;
        console.Write(new NoticeLines([address, "forty columns are too few for all of the words of this one"], Style.Plain));
        Assert.Equal(
            [address, "forty columns are too few for all of the", "words of this one"],
            output.ToString().TrimEnd().Split('\n').Select(line => line.TrimEnd()));
    }

    [Fact]
    public void What_is_written_to_a_terminal_is_shown_and_not_obeyed()
    {
        var shown = new StringWriter();
        using var terminal = new TerminalWriter(shown);
        terminal.Write("text \e[2J of a model\n\tand ");
        terminal.Write('\a');
        terminal.WriteLine("a file \e]0;title");
        Assert.Equal("text \uFFFD[2J of a model\n\tand \uFFFDa file \uFFFD]0;title\n", shown.ToString());
    }

    [Fact]
    public void A_file_gets_the_text_as_it_is()
    {
        var file = new StringWriter();
        TerminalWriter.For(file, isRedirected: true).Write("a\e[2Jb");
        Assert.Equal("a\e[2Jb", file.ToString());
    }

    [Fact]
    public void A_terminal_that_was_closed_ends_nothing()
    {
        using var closed = new ClosedWriter();
        using var terminal = new TerminalWriter(closed);
        terminal.WriteLine("nobody reads this");
        terminal.Flush();
        Assert.False(new Terminal(closed, () => { }).Handle(PosixSignal.SIGTERM));
    }

    [Fact]
    public void Lines_for_files_need_no_terminal() =>
        Assert.IsType<PlainDisplay>(RunDisplays.Choose(json: false, plain: false, new StringWriter(), new StringWriter()));

    [Fact]
    public void A_terminal_without_escape_sequences_gets_plain_lines()
    {
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(new StringWriter()) });
        Assert.False(RunDisplays.TakesEscapeSequences(console));
    }

    private sealed class ClosedWriter : StringWriter
    {
        public override void Write(string? value) => throw new IOException("Input/output error");

        public override void Flush() => throw new IOException("Input/output error");
    }
}
