using System.Diagnostics;

namespace Elastic.Host.Tests.Commands;

public sealed class ClosedPipeTests
{
    [Fact]
    public async Task A_command_ends_as_programs_of_Unix_do_once_nobody_reads_what_it_writes()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "pipes and signals are those of Linux");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "elastic.dll"), "config"])
        { RedirectStandardOutput = true, UseShellExecute = false };
        using var process = Process.Start(start)!;
        process.StandardOutput.Close();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(ExitCodes.Unread, process.ExitCode);
    }
}
