namespace Elastic.Foundation.Tests;

public sealed class LogFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;

    private string LogPath => Path.Combine(_folder, "below", "log.txt");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_full_file_is_put_aside_and_the_one_before_it_goes()
    {
        var log = new LogFile(LogPath, mostBytes: 100);
        for (var i = 0; i < 100; i++)
            Assert.True(log.Append($"line {i}\n"));
        Assert.InRange(new FileInfo(LogPath).Length, 1, 100);
        Assert.InRange(new FileInfo(log.Older).Length, 1, 100);
        Assert.Equal(Path.Combine(_folder, "below", "log.1.txt"), log.Older);
        Assert.Equal(2, Directory.GetFiles(Path.GetDirectoryName(LogPath)!).Length);
        var lines = File.ReadAllLines(log.Older).Concat(File.ReadAllLines(LogPath)).ToList();
        Assert.Equal(Enumerable.Range(100 - lines.Count, lines.Count).Select(i => $"line {i}"), lines);
    }

    [Fact]
    public void Several_writers_of_one_file_lose_nothing()
    {
        Parallel.For(0, 8, i =>
        {
            for (var line = 0; line < 50; line++)
                Assert.True(new LogFile(LogPath).Append($"{i} {line}\n"));
        });
        Assert.Equal(400, File.ReadAllLines(LogPath).Distinct().Count());
    }

    [Fact]
    public void A_log_is_its_user_s_alone()
    {
        Assert.True(new LogFile(LogPath).Append("line\n"));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(LogPath));
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_said_and_not_thrown()
    {
        File.WriteAllText(Path.Combine(_folder, "below"), "in the way");
        Assert.False(new LogFile(LogPath).Append("line\n"));
    }
}
