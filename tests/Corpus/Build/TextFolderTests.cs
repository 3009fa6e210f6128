using Elastic.Corpus.Build;
using Elastic.Foundation;

namespace Elastic.Corpus.Tests.Build;

public sealed class TextFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_folder_beside_somebody_elses_report_is_any_text_and_beside_a_damaged_one_of_a_build_is_refused_with_what_to_do()
    {
        Assert.Null(BuiltText.OfTextFolder(TextBeside("site", "{\"scripts\":{\"build\":\"make\"}}")));
        Assert.Null(BuiltText.OfTextFolder(TextBeside("no-json", "build = [")));
        Directory.CreateDirectory(Path.Combine(_folder["copied"], BuiltText.Documents));
        foreach (var own in new[] { Digest.Of("a build"u8).Hex, "copied" })
        {
            var text = TextBeside(own, "{\"id\":");
            var error = Assert.Throws<ElasticException>(() => BuiltText.OfTextFolder(text));
            Assert.StartsWith(
                $"{text} is the text of a build whose report cannot be read ("
                + $"{Path.Combine(Path.GetDirectoryName(text)!, "build.json")} is ",
                error.Message, StringComparison.Ordinal);
        }
    }

    private string TextBeside(string folder, string report)
    {
        Directory.CreateDirectory(_folder[folder]);
        var build = Path.GetFullPath(_folder[folder]);
        File.WriteAllText(Path.Combine(build, BuiltText.FileName), report);
        return Directory.CreateDirectory(Path.Combine(build, "text")).FullName;
    }
}
