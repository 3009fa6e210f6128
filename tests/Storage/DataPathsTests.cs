using Elastic.Foundation;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

public sealed class DataPathsTests : TemporaryFolder
{
    [Fact]
    public void A_folder_of_corpora_that_cannot_be_made_is_named_with_its_setting()
    {
        var file = Path.Combine(Folder, "file");
        File.WriteAllText(file, "");
        foreach (var folder in new[] { file, Path.Combine(file, "below") })
        {
            var error = Assert.Throws<ElasticException>(() => new DataPaths(Folder, folder).MakeCorpora());
            Assert.StartsWith($"node.corpora-dir = {folder} cannot be created (", error.Message, StringComparison.Ordinal);
        }
        var made = Path.Combine(Folder, "made");
        new DataPaths(Folder, made).MakeCorpora();
        Assert.True(Directory.Exists(made));
    }
}
