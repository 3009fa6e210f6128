using Elastic.Actors.Runs;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Observations;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Runs;

[Collection(DatabaseCollection.Name)]
public sealed class SkippedStepsSpecs(Databases databases)
{
    private static readonly RunId Run = new("a-3k9v2mq7");
    private static readonly NodeId A = new("a"), B = new("b");

    [Fact]
    public async Task Steps_that_a_node_skips_are_observed_once_each_also_where_it_begins_a_round_anew()
    {
        await using var observations = new Observations(new ObservationStore(await databases.NewAsync(DatabaseKind.Sqlite)));
        var observer = new RunObserver(Run, observations);
        await using var following = observations.FollowAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator();
        var next = following.MoveNextAsync();
        foreach (var (node, round, skipped) in new[]
            {
                (A, 0, 0), (A, 0, 2), (A, 0, 2), (B, 0, 1), (A, 0, 3),
                (A, 1, 1),                                              // of the next round
                (A, 1, 0), (A, 1, 1),                                   // which it begins anew
            })
            observer.Step(new NodeReport.StepTaken(node, Run, round, 0, 5, 2, 1e-3) { Scaling = new(8192, skipped, 9) }, default);
        observer.Step(new NodeReport.StepTaken(A, Run, 2, 0, 5, 2, 1e-3), default);
        observations.Record(new NodeJoined(A, 1));

        var seen = new List<StepsSkipped>();
        while (await next && following.Current.What is not NodeJoined)
        {
            if (following.Current.What is StepsSkipped what)
                seen.Add(what);
            next = following.MoveNextAsync();
        }

        Assert.Equal(
            [(A, 0, 2), (B, 0, 1), (A, 0, 1), (A, 1, 1), (A, 1, 1)], seen.Select(s => (s.Node, s.Round, s.Steps)));
        Assert.All(seen, s => Assert.Equal((Run, 0, 8192), (s.RunId, s.Replica, s.LossScale)));
    }
}
