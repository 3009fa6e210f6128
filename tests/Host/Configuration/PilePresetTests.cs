using Elastic.Host.Configuration;
using Elastic.Messages.Settings;

namespace Elastic.Host.Tests.Configuration;

public class PilePresetTests
{
    // Columns "Raw Size" (GiB) and "Weight" (%) of table 1 of Gao et al. 2020. The preset has the column "Epochs", from which the weights
    // follow.
    private static readonly (string Name, double Gib, double Percent)[] Table =
    [
        ("Pile-CC", 227.12, 18.11), ("PubMed Central", 90.27, 14.40), ("Books3", 100.96, 12.07), ("OpenWebText2", 62.77, 10.01),
        ("ArXiv", 56.21, 8.96), ("Github", 95.16, 7.59), ("FreeLaw", 51.15, 6.12), ("StackExchange", 32.20, 5.13),
        ("USPTO Backgrounds", 22.90, 3.65), ("PubMed Abstracts", 19.26, 3.07), ("Gutenberg (PG-19)", 10.88, 2.17),
        ("OpenSubtitles", 12.98, 1.55), ("Wikipedia (en)", 6.38, 1.53), ("DM Mathematics", 7.75, 1.24), ("Ubuntu IRC", 5.52, 0.88),
        ("BookCorpus2", 6.30, 0.75), ("EuroParl", 4.59, 0.73), ("HackerNews", 3.90, 0.62), ("YoutubeSubtitles", 3.73, 0.60),
        ("PhilPapers", 2.38, 0.38), ("NIH ExPorter", 1.89, 0.30), ("Enron Emails", 0.88, 0.14),
    ];

    [Fact]
    public void The_epochs_of_the_22_components_give_the_published_weights()
    {
        var mixture = ConfigurationLoader.Load(new(["tiny", "pile"], [])).Training.Corpus.Mixture.Select(MixtureWeight.TryParse)
            .ToDictionary(w => w!.Value.Source, w => w!.Value.Epochs);
        Assert.Equal(Table.Select(c => c.Name).Order(StringComparer.Ordinal), mixture.Keys.Order(StringComparer.Ordinal));
        var total = Table.Sum(c => c.Gib * mixture[c.Name]);
        Assert.Equal(1254.20, total, 0.05);
        Assert.All(Table, c => Assert.Equal(c.Percent, 100 * c.Gib * mixture[c.Name] / total, 0.01));
    }
}
