using Elastic.Actors.Runs;
using Elastic.Messages;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Runs;

public sealed class RunDirectoryTests
{
    [Fact]
    public void Runs_that_a_database_lost_that_was_set_back_are_named_and_forgotten()
    {
        var runs = new RunDirectory();
        var (old, young) = (Listed("old-00000001", "old"), Listed("young-00000001", "young"));
        Assert.Empty(runs.Read([old, young]));
        var entering = runs.Draw(new RunName("entering"));             // not in the journal yet

        Assert.Equal([young.Run], runs.Read([old]));
        Assert.Null(runs.Existing(new RunName("young")));
        Assert.Equal(old.Run, runs.Existing(new RunName("old")));
        Assert.True(runs.Knows(entering));
        Assert.Empty(runs.Read([old]));
    }

    private static ListedRun Listed(string id, string name) => new(new RunId(id), name, DateTimeOffset.UnixEpoch);
}
