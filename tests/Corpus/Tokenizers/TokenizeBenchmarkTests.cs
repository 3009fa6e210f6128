using System.Reflection;

namespace Elastic.Corpus.Tests;

public class TokenizeBenchmarkTests
{
    [Fact]
    public void The_benchmark_runs()
    {
        using var folder = new TemporaryFolder();
        folder.Write("a.txt", "Hello world, hello.");
        var main = Assembly.Load("Elastic.Tokenize").EntryPoint!;
        Assert.Null(main.Invoke(null, [new[] { "1", "1", folder.Path }]));
    }
}
