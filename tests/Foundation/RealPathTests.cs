namespace Elastic.Foundation.Tests;

public sealed class RealPathTests : IDisposable
{
    private readonly string _root = RealPath.Of(Directory.CreateTempSubdirectory("elastic-").FullName);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void What_lies_elsewhere_is_not_below_a_folder_whatever_leads_there()
    {
        var (shared, other) = (Folder("shared"), Folder("other"));
        Folder("shared-too");
        File.WriteAllText(Path.Combine(other, "secret"), "");
        File.CreateSymbolicLink(Path.Combine(shared, "file"), Path.Combine(other, "secret"));
        Directory.CreateSymbolicLink(Path.Combine(shared, "folder"), "../other");
        File.CreateSymbolicLink(Path.Combine(shared, "circle"), "circle");
        Assert.All(
            [
                "../other/secret", "file", "folder/secret", "folder", "circle", "../shared-too", "sub/../../other/secret", "..",
            ],
            path => Assert.False(RealPath.IsBelow(Path.Combine(shared, path), [shared])));
        Assert.False(RealPath.IsBelow(Path.Combine(shared, "a"), []));
    }

    [Fact]
    public void What_a_folder_holds_is_below_it_also_where_links_lead_to_the_folder()
    {
        var shared = Folder("shared");
        File.WriteAllText(Path.Combine(shared, "a"), "");
        Directory.CreateSymbolicLink(Path.Combine(_root, "link"), shared);
        File.CreateSymbolicLink(Path.Combine(shared, "b"), "./a");
        Assert.All(
            new[] { "shared", "shared/a", "shared/b", "shared/none/yet", "link/a", "link" },
            path => Assert.True(RealPath.IsBelow(Path.Combine(_root, path), [Path.Combine(_root, "none"), Path.Combine(_root, "link")])));
        Assert.Equal(Path.Combine(shared, "a"), RealPath.Of(Path.Combine(_root, "link", "b")));
        Assert.True(RealPath.IsBelow(shared, ["/"]));
    }

    private string Folder(string name) => Directory.CreateDirectory(Path.Combine(_root, name)).FullName;
}
