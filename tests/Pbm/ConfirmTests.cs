using Elastic.Messages.Pbm;

namespace Elastic.Pbm.Tests;

/// <summary>A command that only tells what it would do is given again, with what carries it out, where a person says so.</summary>
public sealed class ConfirmTests
{
    private static readonly PaletteHelp[] Palettes =
    [
        new("run", "",
        [
            new("set", "", [new("y", "yes", "", "", Kind: ArgumentKind.Flag, Confirms: true)]),
            new("delete", "", [new("y", "yes", "", "", Kind: ArgumentKind.Flag, IsConsent: true)]),
        ]),
    ];

    [Theory]
    [InlineData(true, "y\n", true)]
    [InlineData(false, "", true)]
    [InlineData(true, "", true, "--yes")]
    [InlineData(true, "", true, "--json")]
    [InlineData(true, "n\n", false)]
    [InlineData(true, "\n", false)]
    public async Task What_cannot_be_undone_is_asked_about_before_it_is_done(
        bool isInteractive, string input, bool isGiven, params string[] more)
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun(input, isInteractive);
        var running = pbm.RunAsync([seed.Address.ToString(), "run", "delete", .. more]);
        if (isGiven)
            await seed.PlayCallAsync(async (_, stream, call) =>
            {
                Assert.Equal("delete", call.Command);
                await stream.WriteAsync(new PbmMessage.End(0, ""), TestDeadline.Token);
            }, Palettes);
        else
            await seed.PlayAsync((_, stream) => ScriptedSeed.GreetAsync(stream, Palettes));
        Assert.Equal(0, await running.WaitAsync(TestDeadline.Token));
        Assert.Equal(
            isInteractive && more.Length == 0, pbm.Output.Contains("run delete cannot be undone. Do it? [y/N]", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true, "y\n", true)]
    [InlineData(true, "yes\n", true)]
    [InlineData(true, "n\n", false)]
    [InlineData(true, "", false)]
    [InlineData(false, "y\n", false)]
    [InlineData(true, "y\n", false, "--json")]
    [InlineData(true, "y\n", false, "--yes")]
    public async Task A_person_at_a_terminal_is_asked(bool isInteractive, string input, bool isGivenAgain, params string[] more)
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun(input, isInteractive);
        var running = pbm.RunAsync([seed.Address.ToString(), "run", "set", .. more]);
        await seed.PlayCallAsync(async (_, stream, call) =>
        {
            Assert.Equal(more.Contains("--yes") ? 1 : 0, call.Values.Length);
            await stream.WriteAsync(new PbmMessage.Line("tells"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.End(0, ""), TestDeadline.Token);
            if (!isGivenAgain)
                return;
            var again = Assert.IsType<PbmMessage.Call>(await stream.ReadAsync(TestDeadline.Token));
            Assert.Equal(("set", "yes"), (again.Command, Assert.Single(again.Values).Argument));
            await stream.WriteAsync(new PbmMessage.Line("does"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.End(0, ""), TestDeadline.Token);
        }, Palettes);
        Assert.Equal(0, await running.WaitAsync(TestDeadline.Token));
        Assert.Equal(isGivenAgain, pbm.Output.Contains("does", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("\u0003", 130)]
    [InlineData("ye\u0003", 130)]
    [InlineData("\u0004", 0)]
    [InlineData("n\n", 0)]
    public async Task Ctrl_C_ends_a_question_at_once_and_nothing_is_given(string typed, int exitCode)
    {
        var keyboard = new TypedKeyboard(typed);
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun(isInteractive: true) { Keyboard = keyboard };
        var running = pbm.RunAsync([seed.Address.ToString(), "run", "delete"]);
        await seed.PlayAsync((_, stream) => ScriptedSeed.GreetAsync(stream, Palettes));
        Assert.Equal(exitCode, await running.WaitAsync(TestDeadline.Token));
        Assert.False(keyboard.CtrlCIsKey);
        Assert.Contains("run delete cannot be undone. Do it? [y/N] ", pbm.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_signal_ends_a_question_that_waits_for_a_line()
    {
        using var input = new SilentReader();
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun(isInteractive: true) { Input = input };
        var running = pbm.RunAsync([seed.Address.ToString(), "run", "delete"]);
        await seed.PlayAsync((_, stream) => ScriptedSeed.GreetAsync(stream, Palettes));
        await input.Asked.WaitAsync(TestDeadline.Token);
        Assert.True(pbm.Interruption.TryCancel());
        Assert.Equal(130, await running.WaitAsync(TestDeadline.Token));
    }

    // A person who types nothing.
    private sealed class SilentReader : TextReader
    {
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim _over = new();

        public Task Asked => _asked.Task;

        public override string? ReadLine()
        {
            _asked.TrySetResult();
            _over.Wait();
            return null;
        }

        protected override void Dispose(bool disposing)
        {
            _over.Set();
            base.Dispose(disposing);
        }
    }
}
