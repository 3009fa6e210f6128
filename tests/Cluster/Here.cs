using Elastic.Faulty;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>
/// Nodes and commands in the test's own process. A process of its own costs a node seven seconds of a processor and more, half of which
/// compile code; so a scenario gives one to what it kills, stops, or starts on another kind of machine. That nodes share nothing but what
/// they send is shown by the scenarios whose nodes are processes all: AllAtOnce, Clock, Hostile, RandomKills and Tutorial.
/// </summary>
internal static class Here
{
    public static readonly Launch Elastic = Faulty("none");

    /// <inheritdoc cref="Launch.Slow"/>
    public static readonly Launch Slow = Faulty("slow");

    /// <summary>A node with a fault: see tests/Faulty.</summary>
    /// <param name="environment">What the fault is told.</param>
    public static Launch Faulty(string fault, params (string Name, string Value)[] environment) => new("")
    {
        Here = (arguments, output, error, leaving) => FaultyNode.RunAsync(
            fault, name => environment.FirstOrDefault(e => e.Name == name).Value, arguments, output, error, leaving),
    };

    /// <summary>Starts a command of <c>elastic</c>.</summary>
    public static RunningCommand Run(params string[] command) => RunningCommand.Start(Elastic, command);

    /// <summary>Runs <c>elastic corpus audit --run</c>, which proves the run's journal.</summary>
    /// <param name="words">The run, and where it is.</param>
    public static async Task AuditAsync(params string[] words)
    {
        using var audit = Run(["corpus", "audit", "--run", .. words]);
        Assert.True(await audit.EndAsync() == 0, audit.Said);
        Assert.Contains("proven", audit.Output, StringComparison.Ordinal);
    }
}
