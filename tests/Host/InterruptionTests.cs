using System.Runtime.InteropServices;

namespace Elastic.Host.Tests;

public sealed class InterruptionTests
{
    [Theory]
    [InlineData(PosixSignal.SIGINT)]
    [InlineData(PosixSignal.SIGTERM)]
    [InlineData(PosixSignal.SIGHUP)]
    [InlineData(LinuxSignals.User1)]
    public void Each_signal_that_asks_for_leaving_is_obeyed_once(PosixSignal signal)
    {
        var told = 0;
        using var interruption = Interruption.Listen(() => told++);
        Assert.False(interruption.IsRequested);
        Assert.True(interruption.Handle(signal, () => told++));
        Assert.True(interruption.IsRequested);
        Assert.Equal(1, told);
    }

    [Fact]
    public void Only_a_second_ctrl_c_or_sigterm_ends_the_process_at_once()
    {
        using var interruption = Interruption.Listen(() => { });
        Assert.True(interruption.Handle(LinuxSignals.User1, () => { }));
        Assert.True(interruption.Handle(PosixSignal.SIGHUP, () => { }));
        Assert.True(interruption.Handle(PosixSignal.SIGHUP, () => { }));
        Assert.True(interruption.Handle(PosixSignal.SIGTERM, () => { }));        // SLURM's, when the time is up
        Assert.True(interruption.Handle(PosixSignal.SIGHUP, () => { }));
        Assert.False(interruption.Handle(PosixSignal.SIGINT, () => { }));
    }

    [Fact]
    public void A_token_asks_as_a_first_sigterm_does()
    {
        using var asked = new CancellationTokenSource();
        var told = 0;
        using var interruption = Interruption.Listen(() => told++, asked.Token);
        Assert.False(interruption.IsRequested);
        asked.Cancel();
        Assert.True(interruption.IsRequested);
        Assert.Equal(1, told);
        Assert.False(interruption.Handle(PosixSignal.SIGTERM, () => { }));
    }

    [Theory]
    [InlineData("Name:\telastic\nSigIgn:\t0000000000001001\nSigCgt:\t0", true)]
    [InlineData("SigIgn:\t0000000000001000", false)]
    [InlineData("", false)]
    public void A_hang_up_that_nohup_ignores_stays_ignored(string status, bool ignored) =>
        Assert.Equal(ignored, Interruption.IsIgnored(1, status));
}
