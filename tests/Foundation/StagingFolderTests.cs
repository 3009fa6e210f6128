using System.Diagnostics;

namespace Elastic.Foundation.Tests;

public sealed class StagingFolderTests
{
    // Nobody else's.
    private readonly string _prefix = $"elastic-staging-{Guid.NewGuid():N}-";

    [Fact]
    public void What_a_killed_process_left_goes_when_the_next_one_is_made_and_what_is_at_work_stays()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the owner of a folder is asked for on Linux alone");
        using var working = StagingFolder.Make(_prefix);
        string[] left = [Left("a", Environment.MachineName), Left("b", Environment.MachineName)];
        File.WriteAllText(Path.Combine(left[0], "part"), "half");
        var elsewhere = Left("c", "another-machine");
        try
        {
            using var made = StagingFolder.Make(_prefix);
            Assert.Equal(
                ((string[])[working.Path, made.Path, elsewhere]).Order(StringComparer.Ordinal),
                Directory.GetDirectories(Path.GetTempPath(), $"{_prefix}*").Order(StringComparer.Ordinal));
        }
        finally
        {
            Directory.Delete(elsewhere, true);
        }
        Assert.Equal([working.Path], Directory.GetDirectories(Path.GetTempPath(), $"{_prefix}*"));
    }

    [Fact]
    public async Task What_another_user_made_stays()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "needs root on Linux, to give a folder away");
        var foreign = Left("a", Environment.MachineName);
        try
        {
            using (var given = Process.Start("chown", ["65534", foreign]))
                await given.WaitForExitAsync(TestContext.Current.CancellationToken);
            StagingFolder.Make(_prefix).Dispose();
            Assert.True(Directory.Exists(foreign));
        }
        finally
        {
            Directory.Delete(foreign, true);
        }
    }

    private string Left(string name, string machine)
    {
        var left = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), _prefix + name)).FullName;
        File.WriteAllText(Path.Combine(left, ".being-made"), machine);
        return left;
    }
}
