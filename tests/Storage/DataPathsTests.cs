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

    [Fact]
    public void Corpora_are_found_in_the_directory_and_in_each_folder_that_was_set_also_by_who_is_not_told()
    {
        var id = Digest.Of("a corpus"u8);
        string[] set = [Path.Combine(Folder, "set"), Path.Combine(Folder, "set later")];
        foreach (var folder in set.Append(set[0]))
            new DataPaths(Folder, folder).MakeCorpora();
        var untold = new DataPaths(Folder);
        Assert.Equal([untold.Corpora, .. set], untold.AllCorpora);
        Assert.Equal(Path.Combine(untold.Corpora, id.Hex), untold.Corpus(id));
        Directory.CreateDirectory(Path.Combine(set[1], id.Hex));
        Assert.Equal(Path.Combine(set[1], id.Hex), untold.Corpus(id));
        Assert.Equal(Path.Combine(set[1], id.Hex), new DataPaths(Folder, set[0]).Corpus(id));
    }
}
