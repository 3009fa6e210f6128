using Elastic.Foundation;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests;

public sealed class LeftoversTests : TemporaryFolder
{
    [Fact]
    public void What_a_process_that_died_left_goes_and_what_is_kept_stays()
    {
        var paths = new DataPaths(Folder);
        foreach (var folder in new[] { paths.Offload, paths.Evaluations, paths.Builds, Path.Combine(Folder, "runs") })
        {
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, "file"), "");
        }

        File.WriteAllText(DurableFile.TemporaryPath(Path.Combine(Folder, "runs", "file")), "");
        Leftovers.Remove(paths);
        Assert.Equal(["runs"], Directory.GetDirectories(Folder).Select(Path.GetFileName));
        Assert.Equal(["file"], Directory.GetFiles(Path.Combine(Folder, "runs")).Select(Path.GetFileName));
    }
}
