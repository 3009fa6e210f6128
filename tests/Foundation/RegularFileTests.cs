using System.Diagnostics;

namespace Elastic.Foundation.Tests;

public sealed class RegularFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_file_is_read_up_to_its_bound()
    {
        var path = Path.Combine(_folder, "a");
        File.WriteAllText(path, "\uFEFFtext");
        Assert.Equal("text", RegularFile.ReadText(path, 7));
        var refusal = Assert.Throws<IOException>(() => RegularFile.Read(path, 6));
        Assert.Contains("has 7 bytes, and at most 6", refusal.Message, StringComparison.Ordinal);
        File.CreateSymbolicLink(path + "-link", path);
        Assert.Equal(7, RegularFile.Read(path + "-link", 7).Length);
        Assert.Throws<FileNotFoundException>(() => RegularFile.Read(path + "-none", 6));
        Assert.ThrowsAny<Exception>(() => RegularFile.Read(_folder, 6));
    }

    [Fact]
    public void A_pipe_nobody_writes_to_and_a_device_without_end_hold_nobody_up()
    {
        var pipe = Path.Combine(_folder, "pipe");
        using (var make = Process.Start("mkfifo", [pipe]))
            make.WaitForExit();
        Assert.Contains("is a pipe", Assert.Throws<IOException>(() => RegularFile.Read(pipe, 6)).Message, StringComparison.Ordinal);
        Assert.Contains("a device", Assert.Throws<IOException>(() => RegularFile.Read("/dev/zero", 6)).Message, StringComparison.Ordinal);
        Assert.Empty(RegularFile.Read("/dev/null", 6));
    }
}
