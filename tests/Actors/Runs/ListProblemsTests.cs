using Elastic.Actors.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Runs;

public sealed class ListProblemsTests
{
    [Fact]
    public void Only_a_database_that_is_away_is_called_so()
    {
        var away = new DatabaseUnavailableException("refused", new TimeoutException("no answer within 10 s"));
        Assert.Equal("the database cannot be reached (no answer within 10 s); try again", ListProblems.OfDelete(away));
        Assert.StartsWith("the database cannot be reached (no answer within 10 s): see that", ListProblems.OfStart(away));
        var bug = new InvalidOperationException("a bug");
        Assert.Equal(
            "it cannot be entered in the list of runs (InvalidOperationException: a bug): see log.txt of the seed that supervises",
            ListProblems.OfStart(bug));
        Assert.StartsWith("it cannot be taken out of the list of runs (InvalidOperationException: a bug)", ListProblems.OfDelete(bug));
    }
}
