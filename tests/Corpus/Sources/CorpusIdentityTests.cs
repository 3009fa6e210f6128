using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests;

public class CorpusIdentityTests
{
    private static readonly CorpusSettings Settings = CorpusSettings.Defaults;

    [Fact]
    public void The_same_files_elsewhere_are_the_same_corpus()
    {
        using var here = new TemporaryFolder();
        using var there = new TemporaryFolder();
        here.Write("a.txt", "text");
        there.Write("a.txt", "text");
        Assert.Equal(IdOf(here, Settings), IdOf(there, Settings));
    }

    [Fact]
    public void Content_names_tokenizer_and_held_out_share_each_make_another_corpus()
    {
        using var folder = new TemporaryFolder();
        folder.Write("a.txt", "text");
        var ids = new List<Digest>
        {
            IdOf(folder, Settings), IdOf(folder, Settings with { Tokenizer = "gpt2" }), IdOf(folder, Settings with { HeldOut = 0.02 }),
        };
        folder.Write("a.txt", "Text");
        ids.Add(IdOf(folder, Settings));
        File.Move(folder["a.txt"], folder["b.txt"]);
        ids.Add(IdOf(folder, Settings));
        Assert.Equal(ids.Count, ids.Distinct().Count());
    }

    [Theory]
    [InlineData("a.zip", 1)]
    [InlineData("a.tar", 1)]
    [InlineData("a.txt", 0)]
    public void An_archive_of_which_more_members_are_read_than_once_is_another_corpus(string name, int lines)
    {
        using var folder = new TemporaryFolder();
        folder.Write(name, "bytes");
        var file = Assert.Single(CorpusSources.Resolve([folder[name]]));
        Assert.Equal(lines, CorpusIdentity.OfFile(file).Reading.Count(line => line.StartsWith("members 3: ", StringComparison.Ordinal)));
    }

    private static Digest IdOf(TemporaryFolder folder, CorpusSettings settings) =>
        CorpusIdentity.Identify(CorpusSources.Resolve([folder.Path]), settings).Id;
}
