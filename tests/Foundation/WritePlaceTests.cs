namespace Elastic.Foundation.Tests;

/// <summary>What people are told of a place that cannot be written names that place, and what to do.</summary>
public sealed class WritePlaceTests : IDisposable
{
    private const int NoSpace = 28;

    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-").FullName;

    public void Dispose() => Directory.Delete(_folder, true);

    [Fact]
    public void A_place_that_can_be_made_is_tried_and_nothing_of_that_stays()
    {
        WritePlace.Check(Path.Combine(_folder, "a", "b", "c"), "--out");
        NewFolder.CheckFree(Path.Combine(_folder, "new"), "--out");
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
        // An empty folder makes place for the new one: that is tried, and it is there again.
        var empty = Directory.CreateDirectory(Path.Combine(_folder, "empty")).FullName;
        NewFolder.CheckFree(empty + "/", "--out");
        Assert.Equal([empty], Directory.GetFileSystemEntries(_folder));
        Directory.Delete(empty);
    }

    [Fact]
    public void A_place_below_a_file_or_where_nothing_can_be_made_is_refused_before_the_work()
    {
        var (file, below) = (Path.Combine(_folder, "file"), Path.Combine(_folder, "file", "a", "b"));
        File.WriteAllText(file, "");
        Assert.Equal($"{below} cannot be written ({file} is a file): name another place with --out",
            Assert.Throws<ElasticException>(() => WritePlace.Check(below, "--out")).Message);
        if (!OperatingSystem.IsLinux())
            return;
        // Not even root makes a folder there.
        var refusal = Assert.Throws<ElasticException>(() => NewFolder.CheckFree("/proc/mine/out", "--out")).Message;
        Assert.StartsWith("/proc/mine/out cannot be written (", refusal, StringComparison.Ordinal);
        Assert.EndsWith("): name another place with --out", refusal, StringComparison.Ordinal);
        Assert.DoesNotContain(".tmp", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_fails_later_names_the_place_and_not_the_temporary_file()
    {
        var place = Path.Combine(_folder, "out");
        var temporary = DurableFile.TemporaryPath(place);
        Assert.Equal($"{place} cannot be written (Access to the path '{place}/a' is denied): name another folder with --out",
            await RefusalOf(new UnauthorizedAccessException($"Access to the path '{temporary}/a' is denied.")));
        Assert.Equal($"{place} cannot be written (the disk is full): free space there, or name another folder with --out",
            await RefusalOf(new IOException($"No space left on device : '{temporary}/a'", NoSpace)));
        // What is elsewhere has another remedy.
        var elsewhere = new IOException("No such file : '/elsewhere'");
        Assert.Same(elsewhere, await Assert.ThrowsAsync<IOException>(() => Write(elsewhere)));

        Assert.Equal($"{place} cannot be written (Could not find '{place}/a'): name another folder",
            Assert.Throws<ElasticException>(
                () => NewFolder.Make(place, made => throw new IOException($"Could not find '{made}/a'."))).Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder));

        Task<int> Write(Exception e) => WritePlace.WriteAsync<int>(place, "name another folder with --out", () => throw e);
        async Task<string> RefusalOf(Exception e) => (await Assert.ThrowsAsync<ElasticException>(() => Write(e))).Message;
    }
}
