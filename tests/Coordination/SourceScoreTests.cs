using Elastic.Messages.Runs;
using Elastic.Testing;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

/// <summary>Scores by source: they are stored with the score, and bounded, since a node says them.</summary>
public sealed class SourceScoreTests
{
    private static readonly VersionScore Score = new(0, 5, 8);
    private static readonly SourceScore[] Sources = [new("Books", 10, 2), new("Web", 15, 3)];

    [Fact]
    public void They_are_stored_with_the_score_and_shown_until_the_next_one()
    {
        var stored = Assert.IsType<RunEvent.VersionEvaluated>(Assert.Single(Decide(Sources).Events));
        Assert.Equal((Score, Sources), (stored.Score, stored.Sources));
        var scored = Run.Apply(Computing, stored);
        Assert.Equal(Sources, scored.SourceScores);
        Assert.Null(Run.Apply(scored, new RunEvent.VersionEvaluated(Id, Score with { Version = 1 })).SourceScores);
    }

    [Fact]
    public void What_no_node_of_ours_would_send_is_refused()
    {
        SourceScore[][] hostile =
        [
            [.. Enumerable.Range(0, SourceScore.Most + 2).Select(i => new SourceScore($"{i}", 1, 1))],
            [new(new string('x', 101), 1, 1)],
            [new("x", 1, 0)],
        ];
        foreach (var decision in hostile.Select(Decide))
        {
            Assert.Equal("its sources are more or longer than a score has", decision.Refusal);
            Assert.Empty(decision.Events);
        }
    }

    [Fact]
    public void Two_nodes_agree_only_where_they_agree_on_each_source()
    {
        var kind = EvaluateWork.Kind;
        Assert.Equal(kind.BytesOf(new Evaluated(Score, Sources)), kind.BytesOf(new Evaluated(Score, [.. Sources])));
        foreach (var other in new[] { Sources[1] with { Nats = 16 }, Sources[1] with { Targets = 4 }, Sources[1] with { Source = "web" } })
            Assert.NotEqual(kind.BytesOf(new Evaluated(Score, Sources)), kind.BytesOf(new Evaluated(Score, [Sources[0], other])));
    }

    private static Decision Decide(SourceScore[] sources) =>
        RunSamples.Decide(Computing, Answer(A, EvaluateWork.KeyOf(0), new Evaluated(Score, sources)), Plan);
}
