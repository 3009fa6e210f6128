using Elastic.Messages.Pbm;

namespace Elastic.Pbm.Tests;

/// <summary>A command that follows something outlives the connection.</summary>
public sealed class FollowTests
{
    private static readonly PaletteHelp[] Palettes = [new("run", "", [new("watch", "", [], Follows: true), new("stop", "", [])])];

    [Fact]
    public async Task A_watch_goes_on_when_the_seed_is_back()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var running = pbm.RunAsync(seed.Address.ToString(), "run", "watch");
        await seed.PlayCallAsync((_, stream, _) => stream.WriteAsync(new PbmMessage.Line("round 1"), TestDeadline.Token), Palettes);
        await seed.PlayAsync((_, _) => Task.CompletedTask);                         // a seed that hangs up at once
        for (var i = 0; i < 2; i++)                                                // the second one says nothing new
            await seed.PlayCallAsync(
                (_, stream, _) => stream.WriteAsync(
                    new PbmMessage.End(ExitCodes.Unreachable, "this seed is shutting down"), TestDeadline.Token),
                Palettes);
        await seed.PlayCallAsync(async (_, stream, call) =>
        {
            Assert.Equal(("run", "watch"), (call.Palette, call.Command));
            await stream.WriteAsync(new PbmMessage.Line("round 2"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.End(0, ""), TestDeadline.Token);
        }, Palettes);
        Assert.Equal(0, await running);
        Assert.Equal(["round 1", "round 2"], pbm.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(2, pbm.Error.Split("trying again").Length - 1);
        Assert.Contains("this seed is shutting down", pbm.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_that_changes_something_is_not_given_twice()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var running = pbm.RunAsync(seed.Address.ToString(), "run", "stop");
        await seed.PlayCallAsync((_, _, _) => Task.CompletedTask, Palettes);
        Assert.Equal(ExitCodes.Unreachable, await running);
    }

    [Fact]
    public async Task A_watch_that_never_reached_a_seed_fails_at_once()
    {
        var address = ScriptedSeed.Nobody.ToString();
        using var pbm = new PbmRun();
        Assert.Equal(ExitCodes.Unreachable, await pbm.RunAsync(address, "run", "watch"));
        Assert.DoesNotContain("trying again", pbm.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupted_watch_does_not_try_again()
    {
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var running = pbm.RunAsync(seed.Address.ToString(), "run", "watch");
        await seed.PlayCallAsync((_, _, _) => Task.CompletedTask, Palettes);
        while (!pbm.Error.Contains("trying again", StringComparison.Ordinal))
            await Task.Delay(10, TestDeadline.Token);
        pbm.Interruption.TryCancel();
        Assert.Equal(ExitCodes.Interrupted, await running);
    }
}
