using Elastic.Host.Display;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Storage;

namespace Elastic.Host.Tests.Display;

public sealed class ObservationLinesTests
{
    public static TheoryData<Type> Kinds =>
        [.. typeof(Observation).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(Observation)) && !t.IsAbstract)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_observation_has_a_sentence_for_people(Type kind)
    {
        var made = kind.GetConstructors().First(c => c.GetParameters().Length > 0);
        var observation = (Observation)made.Invoke([.. made.GetParameters().Select(p => Value(p.ParameterType))]);
        var line = new ObservationLines(node => $"node of {node}")
            .Of(new StoredObservation(1, DateTimeOffset.UnixEpoch, "kind", "{}", observation));
        Assert.StartsWith("00:00:00Z ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("does not know", line, StringComparison.Ordinal);
        if (observation is RunObservation)
            Assert.Contains("tiny", line, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_newer_version_has_observed_is_named() => Assert.Equal(
        "00:00:00Z eclipse: this version of Elastic does not know what it means",
        new ObservationLines(_ => "").Of(new StoredObservation(1, DateTimeOffset.UnixEpoch, "eclipse", "{}", null)));

    private static object? Value(Type type) =>
        type == typeof(string) ? "text"
        : type == typeof(RunId) ? new RunId("tiny-3k9v2mq7")
        : type == typeof(NodeId) ? new NodeId("gpu7-3k9v2mq7")
        : Activator.CreateInstance(type);
}
