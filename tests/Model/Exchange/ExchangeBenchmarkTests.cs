using Elastic.Bench.Exchange;
using Elastic.Testing;

namespace Elastic.Model.Tests.Exchange;

public sealed class ExchangeBenchmarkTests : TemporaryFolder
{
    [Fact]
    public void Everything_that_the_benchmark_measures_runs()
    {
        foreach (var measure in Measures.All.Values)
            Assert.InRange(measure(Path.Combine(Folder, "tiny")), 0, 60);
        Assert.Equal(OperatingSystem.IsLinux(), Measures.PeakBytes() > 0);
    }
}
