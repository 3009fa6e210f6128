using System.Reflection;

namespace Elastic.Corpus.Tests.Build;

public class CorpusFiguresTests
{
    [Theory]
    [InlineData("recall", "4")]
    [InlineData("signatures", "300")]
    [InlineData("order", "100000")]
    public void The_benchmark_runs(string what, string size) => Assert.Equal(0, Run(what, size));

    [Fact]
    public void The_benchmark_of_stages_runs()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "notes.jsonl");
        File.WriteAllLines(path, Enumerable.Range(0, 20).Select(i => $$"""{"text": "Note {{i}} says that the fishermen left early."}"""));
        Assert.Equal(0, Run("stages", path));
    }

    private static object? Run(params string[] arguments) =>
        Assembly.Load("Elastic.CorpusFigures").EntryPoint!.Invoke(null, [arguments]);
}
