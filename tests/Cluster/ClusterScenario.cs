namespace Elastic.Cluster.Tests;

/// <summary>A test with a cluster of its own. When it fails, what the processes said is part of its output.</summary>
public abstract class ClusterScenario : IAsyncLifetime
{
    internal TestCluster Cluster { get; } = new();

    public virtual ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public virtual ValueTask DisposeAsync()
    {
        if (TestContext.Current.TestState?.Result == TestResult.Failed)
            TestContext.Current.TestOutputHelper!.WriteLine(Cluster.Describe());
        GC.SuppressFinalize(this);
        return Cluster.DisposeAsync();
    }
}
