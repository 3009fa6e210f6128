using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text.RegularExpressions;
using Elastic.Actors;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Host.Tests.Ops;

/// <summary>The names of metrics: what is measured, what docs/metrics.md explains, and what the files in deploy/ ask for.</summary>
public sealed partial class MetricNamesTests
{
    private static readonly HashSet<string> Measured =
    [
        .. typeof(Observation).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(Observation)) && !t.IsAbstract)
            .SelectMany(t => Example(t).Measures).Select(m => m.Name),
        // What nodes measure of themselves.
        .. new[] { typeof(ElasticNode).Assembly, typeof(Peers).Assembly }.SelectMany(a => a.GetTypes())
            .Where(t => !t.ContainsGenericParameters)
            .SelectMany(t => t.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public))
            .Where(f => f.FieldType.IsSubclassOf(typeof(Instrument))).Select(f => ((Instrument)f.GetValue(null)!).Name),
    ];

    [Fact]
    public void Each_metric_is_explained_and_nothing_else_is()
    {
        var explained = NamesIn(Checkout.PathOf("docs/metrics.md"));
        Assert.Equal(Measured.Order(StringComparer.Ordinal), explained.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Dashboards_and_alerts_ask_only_for_metrics_that_exist()
    {
        var files = new[] { "*.yml", "*.yaml", "*.json" }
            .SelectMany(p => Directory.EnumerateFiles(Checkout.PathOf("deploy"), p, SearchOption.AllDirectories)).ToList();
        var unknown = files.SelectMany(f => NamesIn(f).Where(n => !Measured.Contains(n)).Select(n => $"{Path.GetFileName(f)}: {n}"));
        Assert.Empty(unknown);
        Assert.Superset(
            new HashSet<string> { "elastic_nodes", "elastic_tokens_total", "elastic_step_seconds", "elastic_recovery_seconds" },
            files.SelectMany(NamesIn).ToHashSet());
    }

    // A distribution is stored as three kinds of series.
    private static HashSet<string> NamesIn(string file) => Name().Matches(File.ReadAllText(file)).Select(m => m.Value)
        .Select(n => Measured.Contains(n) ? n : Parts().Replace(n, "")).ToHashSet();

    private static Observation Example(Type type)
    {
        var make = type.GetConstructors().MaxBy(c => c.GetParameters().Length)!;
        return (Observation)make.Invoke([.. make.GetParameters().Select(p => Value(p.ParameterType))]);
    }

    private static object? Value(Type type) =>
        type == typeof(string) ? "x" : type == typeof(RunId) ? new RunId("run-1") : type == typeof(NodeId) ? new NodeId("n")
        : type == typeof(double) ? 1.5 : type == typeof(int) ? 1 : type == typeof(long) ? 1L
        : type.IsValueType ? Activator.CreateInstance(type) : null;

    [GeneratedRegex(@"\belastic_[a-z_]+", RegexOptions.None, 10_000)]
    private static partial Regex Name();

    [GeneratedRegex("_(bucket|sum|count)$", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Parts();
}
