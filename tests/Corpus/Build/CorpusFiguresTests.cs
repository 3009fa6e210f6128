using System.Reflection;

namespace Elastic.Corpus.Tests.Build;

public class CorpusFiguresTests
{
    [Theory]
    [InlineData("recall", "4")]
    [InlineData("signatures", "300")]
    [InlineData("order", "100000")]
    public void The_benchmark_runs(string what, string size) =>
        Assert.Equal(0, Assembly.Load("Elastic.CorpusFigures").EntryPoint!.Invoke(null, [new[] { what, size }]));
}
