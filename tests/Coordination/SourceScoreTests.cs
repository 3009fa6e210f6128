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
    public void Languages_are_stored_shown_and_bounded_as_sources_are()
    {
        SourceScore[] languages = [new("de", 10, 2), new("unknown", 15, 3)];
        var stored = Assert.IsType<RunEvent.VersionEvaluated>(Assert.Single(Decide(null, languages).Events));
        Assert.Equal((null, languages), (stored.Sources, stored.Languages));
        Assert.Equal(languages, Run.Apply(Computing, stored).LanguageScores);
        Assert.Equal(
            "its languages are more or longer than a score has",
            Decide(null, [.. Enumerable.Range(0, SourceScore.Most + 2).Select(i => new SourceScore($"{i}", 1, 1))]).Refusal);
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
        foreach (var decision in hostile.Select(sources => Decide(sources)))
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

    private static Decision Decide(SourceScore[]? sources, SourceScore[]? languages = null) =>
        RunSamples.Decide(Computing, Answer(A, EvaluateWork.KeyOf(0), new Evaluated(Score, sources, languages)), Plan);
}
