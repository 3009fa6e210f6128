using Elastic.Actors.Runs;
using Elastic.Messages;
using Elastic.Messages.Observations;
using Elastic.Messages.Runs;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Runs;

[Collection(DatabaseCollection.Name)]
public sealed class ResultLostSpecs(Databases databases)
{
    private static readonly RunId Run = new("a-3k9v2mq7");

    [Fact]
    public async Task Results_that_are_lost_after_they_were_computed_are_observed_one_by_one()
    {
        var store = new ObservationStore(await databases.NewAsync(DatabaseKind.Sqlite));
        await using (var observations = new Observations(store))
            new RunObserver(Run, observations).Stored([new RunEvent.WorkLost(Run, 4, [0, 2], Chunks: true, "a node is lost")]);
        Assert.Equal(
            [new ResultLost(Run, 4, 0, "a node is lost"), new ResultLost(Run, 4, 2, "a node is lost")],
            (await store.ReadAsync(new ObservationQuery(), default)).Select(o => o.What));
    }
}
