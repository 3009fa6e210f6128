namespace Elastic.Corpus.Tests;

public sealed class BuildFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Builders_that_come_to_their_end_at_once_both_have_the_folder()
    {
        for (var i = 0; i < 30; i++)
        {
            var target = _folder[$"text-{i}"];
            using var both = new Barrier(2);
            var errors = new Exception?[2];
            var threads = Enumerable.Range(0, 2).Select(n => new Thread(() => errors[n] = Record.Exception(() =>
            {
                using var build = new BuildFolder(target, "last");
                File.WriteAllText(Path.Combine(build.Current, "last"), "the same");
                both.SignalAndWait(TimeSpan.FromSeconds(30));
                build.Complete();
            }))).ToList();
            threads.ForEach(t => t.Start());
            threads.ForEach(t => t.Join());
            Assert.Equal([null, null], errors);
            Assert.Equal(["last"], Directory.GetFileSystemEntries(target).Select(Path.GetFileName));
        }
    }

    [Fact]
    public void What_could_not_be_removed_is_removed_with_the_next_build()
    {
        _folder.Write("whole/shard.bin", "12345");
        Assert.Equal(5, BuildFolder.Remove(_folder["whole"]));
        Assert.Equal(0, BuildFolder.Remove(_folder["whole"]));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));

        // A folder in the place of a file cannot be deleted as one.
        Directory.CreateDirectory(_folder[$"odd/{CorpusManifest.FileName}"]);
        Assert.ThrowsAny<Exception>(() => BuildFolder.Remove(_folder["odd"]));
        Assert.Equal(2, Directory.GetFileSystemEntries(_folder.Path).Length);
        BuildFolder.RemoveDead(_folder.Path);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void What_another_machine_builds_stays_although_its_lock_is_not_seen_here()
    {
        var (theirs, lockFile) = (_folder["text.building-1"], _folder["text.building-1.lock"]);
        _folder.Write("text.building-1/shard.bin", "12345");
        _folder.Write("text.building-1.lock", "another-machine");
        _folder.Write("text.building-2/shard.bin", "12345");
        _folder.Write("text.building-2.lock", Environment.MachineName);
        using (var ours = new BuildFolder(_folder["other"]))
            Assert.Equal([lockFile, theirs], Directory.GetFileSystemEntries(_folder.Path, "text*").Order().Reverse());

        // A slow one may write nothing for long, and touches its lock file.
        foreach (var path in (string[])[_folder["text.building-1/shard.bin"], theirs])
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddHours(-2));
        File.SetLastWriteTimeUtc(lockFile, DateTime.UtcNow.AddMinutes(-55));
        BuildFolder.RemoveDead(_folder.Path);
        Assert.True(Directory.Exists(theirs));
        Assert.True(BuildFolder.HasBuilder(_folder["text"]));

        // Dead, and of a container whose name nobody has any more: nobody else would remove it.
        File.SetLastWriteTimeUtc(lockFile, DateTime.UtcNow.AddMinutes(-65));
        Assert.False(BuildFolder.HasBuilder(_folder["text"]));
        BuildFolder.RemoveDead(_folder.Path);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_builder_touches_its_lock_file_until_it_ends_and_a_touch_that_comes_too_late_ends_nothing()
    {
        var clock = new TimerClock();
        using (var build = new BuildFolder(_folder["text"], time: clock))
        {
            var lockFile = build.Current + ".lock";
            File.SetLastWriteTimeUtc(lockFile, clock.GetUtcNow().UtcDateTime.AddHours(-2));
            clock.Fire!();
            Assert.Equal(clock.GetUtcNow().UtcDateTime, File.GetLastWriteTimeUtc(lockFile));
        }
        Assert.True(clock.IsDisposed);
        clock.Fire!();                                                 // one that had begun before the end
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_builder_names_its_machine_and_its_folder_is_gone_with_it()
    {
        using (var build = new BuildFolder(_folder["text"]))
        {
            Assert.True(new FileInfo(build.Current + ".lock").Length > 0);
            BuildFolder.RemoveDead(_folder.Path);
            Assert.True(Directory.Exists(build.Current));
        }
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    // A clock that stands still, with one timer, which fires when a test says so.
    private sealed class TimerClock : TimeProvider, ITimer
    {
        public Action? Fire { get; private set; }

        public bool IsDisposed { get; private set; }

        public override DateTimeOffset GetUtcNow() => new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Assert.Equal((TimeSpan.FromMinutes(1), dueTime), (period, period));
            Fire = () => callback(state);
            return this;
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose() => IsDisposed = true;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
