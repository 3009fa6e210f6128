using Elastic.Host.Web;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Storage;

namespace Elastic.Host.Tests.Web;

/// <summary>Scores by source are read once, however often they are asked for.</summary>
public sealed class SourceScoresTests
{
    private static readonly RunId Run = new("tiny-3k9v2mq7"), Other = new("other-4m0w3nr8");

    private readonly List<StoredObservation> _stored = [];
    private readonly List<int> _read = [];

    [Fact]
    public async Task Of_scores_that_were_read_only_newer_ones_are_asked_for()
    {
        var scores = new SourceScores(ObservedAsync);
        for (var version = 0; version < 50; version++)
            Store(Run, version, ("web", 3.0), ("books", 2.0));
        Assert.Equal(50, (await AfterAsync(scores, -1)).Count);
        Assert.Equal([100], _read);
        Assert.Equal([48, 49], (await AfterAsync(scores, 47)).Select(v => v.Key));
        Assert.Equal([100, 0], _read);
        Store(Run, 50, ("web", 2.5), ("books", 1.5));
        var found = Assert.Single(await AfterAsync(scores, 49));
        Assert.Equal(["books", "web"], found.Select(s => s.Source));
        Assert.Equal([100, 0, 2], _read);
    }

    [Fact]
    public async Task A_version_that_was_scored_again_has_its_newest_score_and_runs_are_kept_apart()
    {
        var scores = new SourceScores(ObservedAsync);
        Store(Run, 1, ("web", 3.0));
        Store(Other, 1, ("web", 9.0));
        Store(Run, 1, ("web", 2.0));
        Assert.Equal(2.0, Assert.Single(Assert.Single(await AfterAsync(scores, -1))).Nats);
    }

    [Fact]
    public async Task What_is_kept_and_what_is_read_at_once_is_bounded()
    {
        var scores = new SourceScores(ObservedAsync, most: 4, mostRuns: 2);
        for (var version = 0; version < 9; version++)
            Store(Run, version, ("web", 3.0));
        Assert.Equal([5, 6, 7, 8], (await AfterAsync(scores, -1)).Select(v => v.Key));
        for (var version = 9; version < 20; version++)
            Store(Run, version, ("web", 3.0));
        Assert.Equal([16, 17, 18, 19], (await AfterAsync(scores, -1)).Select(v => v.Key));
        Assert.All(_read, count => Assert.InRange(count, 0, 4));
    }

    private Task<IReadOnlyList<StoredObservation>> ObservedAsync(ObservationQuery query, CancellationToken cancel)
    {
        var found = _stored.Where(o => o.Id > query.After && ((RunObservation)o.What!).RunId == query.Run).ToList();
        found = [.. query.Newest ? found.TakeLast(query.AtMost) : found.Take(query.AtMost)];
        _read.Add(found.Count);
        return Task.FromResult<IReadOnlyList<StoredObservation>>(found);
    }

    private static async Task<List<IGrouping<int, ScoreOfSource>>> AfterAsync(SourceScores scores, long version) =>
        [.. await scores.AfterAsync(Run, version, TestContext.Current.CancellationToken)];

    private void Store(RunId run, int version, params IEnumerable<(string Source, double Nats)> scores)
    {
        foreach (var (source, nats) in scores)
            _stored.Add(new StoredObservation(
                _stored.Count + 1, DateTimeOffset.UnixEpoch, "source-score", "", new ScoreOfSource(run, version, source, nats, 1)));
    }
}
