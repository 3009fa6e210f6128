using Elastic.Corpus.Build;

namespace Elastic.Corpus.Tests.Build;

public sealed class CorpusTextsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("text")]
    [InlineData("validation")]
    [InlineData("test")]
    public void A_folder_of_somebody_s_own_beside_a_file_that_is_called_as_a_build_s_report_is_no_built_text(string part)
    {
        _folder.Write("build.json", "{}");
        _folder.Write($"{part}/a.txt", "Words.");
        CorpusTexts.Note(_folder["corpus"], CorpusSources.Resolve([_folder.Path]));
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.made-of"));
    }
}
