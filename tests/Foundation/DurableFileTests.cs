namespace Elastic.Foundation.Tests;

public sealed class DurableFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-").FullName;

    public void Dispose() => Directory.Delete(_folder, true);

    [Fact]
    public void What_a_dead_process_was_writing_is_removed_from_all_folders_and_nothing_else()
    {
        string[] kept = [PathOf("a.json"), PathOf("notes.tmp"), PathOf("inner/b.json")];
        foreach (var path in kept)
            DurableFile.Write(path, "x"u8);
        foreach (var path in kept)
            File.WriteAllText(DurableFile.TemporaryPath(path), "half of it");
        DurableFile.RemoveTemporaries(_folder);
        Assert.Equal(kept.Order(), Directory.GetFiles(_folder, "*", SearchOption.AllDirectories).Order());
    }

    private string PathOf(string name)
    {
        var path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }
}
