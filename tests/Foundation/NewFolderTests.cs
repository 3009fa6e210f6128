using Elastic.Testing;

namespace Elastic.Foundation.Tests;

public sealed class NewFolderTests : TemporaryFolder
{
    private string Target => Path.Combine(Folder, "text");

    [Fact]
    public void What_a_killed_process_left_of_a_folder_goes_when_it_is_made_anew()
    {
        var left = Left(Target, Environment.MachineName);
        Directory.CreateDirectory(Path.Combine(left, "below"));
        File.WriteAllText(Path.Combine(left, "below", "part"), "half");
        NewFolder.Make(Target, place => File.WriteAllText(Path.Combine(place, "a"), "whole"));
        Assert.Equal([Target], Directory.GetDirectories(Folder));
        Assert.Equal(["a"], Directory.GetFileSystemEntries(Target).Select(Path.GetFileName));
    }

    [Fact]
    public void A_folder_that_another_process_makes_stays()
    {
        string[] names = [];
        NewFolder.Make(Target, one =>
        {
            File.WriteAllText(Path.Combine(one, "a"), "one");
            NewFolder.Make(Target, two => File.WriteAllText(Path.Combine(two, "a"), "two"));
            names = [.. Directory.GetFiles(one).Select(f => File.Exists(f) ? Path.GetFileName(f) : "")];
            Directory.Delete(Target, true);
        });
        Assert.Contains("a", names);
        Assert.Equal("one", File.ReadAllText(Path.Combine(Target, "a")));
        Assert.Equal([Target], Directory.GetDirectories(Folder));
    }

    [Fact]
    public void What_is_not_surely_a_leftover_of_this_folder_stays()
    {
        string[] kept =
        [
            Left(Target, "another-machine"),
            Left(Path.Combine(Folder, "text2"), Environment.MachineName),
            Directory.CreateDirectory(DurableFile.TemporaryPath(Target)).FullName,      // nobody says whose it is
            Directory.CreateDirectory(Target + ".0123.tmp").FullName,
            MoveTo(Left(Target, Environment.MachineName), Path.Combine(Folder, "text.mine")),
        ];
        NewFolder.Make(Target, _ => { });
        Assert.Equal(
            [.. kept.Append(Target).Order(StringComparer.Ordinal)], Directory.GetDirectories(Folder).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void One_that_could_not_be_made_leaves_nothing()
    {
        Assert.Throws<InvalidDataException>(() => NewFolder.Make(Target, _ => throw new InvalidDataException("no")));
        Assert.Empty(Directory.GetFileSystemEntries(Folder));
    }

    private static string MoveTo(string from, string to)
    {
        Directory.Move(from, to);
        return to;
    }

    private static string Left(string path, string machine)
    {
        var left = Directory.CreateDirectory(DurableFile.TemporaryPath(path)).FullName;
        File.WriteAllText(Path.Combine(left, ".being-made"), machine);
        return left;
    }
}
