using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Host.Tests;

public sealed partial class DataDirectoryTests
{
    private const uint Nobody = 65534, AsItIs = uint.MaxValue;

    private readonly DataDirectory _data = new(Path.Combine(Directory.CreateTempSubdirectory("elastic-test-").FullName, "data"));

    [Fact]
    public void A_directory_in_use_names_the_directory_the_process_and_the_remedy()
    {
        using var held = _data.Take();
        var refusal = Assert.Throws<ElasticException>(() => _data.Take().Dispose()).Message;
        Assert.Contains(_data.Root, refusal, StringComparison.Ordinal);
        Assert.Contains($"process {Environment.ProcessId}", refusal, StringComparison.Ordinal);
        Assert.Contains("--data-dir", refusal, StringComparison.Ordinal);
    }

    [Fact]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void A_directory_that_may_not_be_read_is_not_taken_for_an_empty_one()
    {
        Assert.SkipWhen(Environment.UserName == "root" && !OperatingSystem.IsLinux(), "root may read everything");
        Directory.CreateDirectory(_data.Root, UnixFileMode.None);
        Assert.Contains($"may not be read by the user {Environment.UserName}", Assert.IsType<ElasticException>(
            AsNobodyWhereRoot(() => _data.ExistingRun(new RunName("a")))).Message, StringComparison.Ordinal);
    }

    // Root may read everything: a thread of its own looks at files as another user there, as Linux lets a thread do.
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    private Exception? AsNobodyWhereRoot(Action act)
    {
        var (thrown, isOther) = ((Exception?)null, true);
        var looks = new Thread(() =>
        {
            if (Environment.UserName == "root")
            {
                _ = SetFileUser(Nobody);
                isOther = SetFileUser(AsItIs) == Nobody;
            }
            thrown = Record.Exception(act);
        });
        var folder = Path.GetDirectoryName(_data.Root)!;
        File.SetUnixFileMode(
            folder, File.GetUnixFileMode(folder) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        looks.Start();
        looks.Join();
        Assert.SkipUnless(isOther, "needs another user than root, and there is none in this container");
        return thrown;
    }

    [LibraryImport("libc", EntryPoint = "setfsuid")]
    private static partial uint SetFileUser(uint user);

    [Fact]
    public void A_directory_that_was_given_back_can_be_taken_again()
    {
        _data.Take().Dispose();
        using var again = _data.Take();
        Assert.True(Directory.Exists(_data.Corpora));
    }

    [Fact]
    public void A_stale_process_id_of_a_killed_process_holds_nobody_up()
    {
        Directory.CreateDirectory(_data.Root);
        File.WriteAllText(Path.Combine(_data.Root, "elastic.pid"), "999999");
        File.WriteAllText(Path.Combine(_data.Root, "elastic.lock"), "");
        _data.Take().Dispose();
    }

    [Fact]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void What_is_in_it_is_for_its_user_alone_and_an_older_directory_is_closed()
    {
        const UnixFileMode folder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        const UnixFileMode open = folder | UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        const UnixFileMode file = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (_data.Take())
        {
            DurableFile.Write(Path.Combine(_data.Corpora, "a"), [1]);
            Assert.All(
                Directory.EnumerateDirectories(_data.Root).Prepend(_data.Root), path => Assert.Equal(folder, File.GetUnixFileMode(path)));
            Assert.All(
                Directory.EnumerateFiles(_data.Root, "*", SearchOption.AllDirectories),
                path => Assert.Equal(file, File.GetUnixFileMode(path)));
        }

        File.SetUnixFileMode(_data.Root, open);
        _data.Take().Dispose();
        Assert.Equal(folder, File.GetUnixFileMode(_data.Root));

        // A folder that was not Elastic's is somebody's own, e.g. the home directory.
        File.Delete(Path.Combine(_data.Root, "elastic.lock"));
        File.SetUnixFileMode(_data.Root, open);
        _data.Take().Dispose();
        Assert.Equal(open, File.GetUnixFileMode(_data.Root));
    }

    [Fact]
    public void A_directory_below_a_file_cannot_be_created_and_says_so()
    {
        var file = Path.GetTempFileName();
        var refusal = Assert.Throws<ElasticException>(() => new DataDirectory(Path.Combine(file, "data")).Take()).Message;
        Assert.Contains("cannot be created", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_is_not_there_names_those_that_are()
    {
        Assert.StartsWith($"there is no folder {_data.Root}: ", Refusal("a"), StringComparison.Ordinal);
        Directory.CreateDirectory(_data.Root);
        Assert.Contains("there are no runs at all", Refusal("a"), StringComparison.Ordinal);
        Make("books-00000001");
        Make("books-00000002");
        Assert.Contains("there is books; name", Refusal("a"), StringComparison.Ordinal);
        Make("a-b-00000000");
        Assert.Contains("there are a-b, books; name", Refusal("a"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_stands_for_the_newest_of_its_runs_and_not_for_a_name_that_begins_the_same()
    {
        Make("books-zzzzzzzz");
        Make("books-00000000");
        Make("books-2-11111111");
        Assert.Equal(_data.Run(new RunId("books-00000000")), _data.ExistingRun(new RunName("books")));
        Assert.Equal(_data.Run(new RunId("books-2-11111111")), _data.ExistingRun(new RunName("books-2")));
    }

    [Fact]
    public void A_folder_that_is_no_run_s_is_no_run()
    {
        Make("lost+found");
        Make(".cache");
        Assert.Contains("there are no runs at all", Refusal("a"), StringComparison.Ordinal);
    }

    private string Refusal(string name) => Assert.Throws<NotFoundException>(() => _data.ExistingRun(new RunName(name))).Message;

    // A file system's clock ticks every few milliseconds: each folder is to be newer than those before it.
    private void Make(string folder)
    {
        var path = Path.Combine(_data.Runs, folder);
        Directory.CreateDirectory(_data.Runs);
        var newest = Directory.GetDirectories(_data.Runs).Select(Directory.GetCreationTimeUtc).DefaultIfEmpty().Max();
        Directory.CreateDirectory(path);
        while (Directory.GetCreationTimeUtc(path) <= newest)
        {
            Directory.Delete(path);
            Directory.CreateDirectory(path);
        }
    }
}
