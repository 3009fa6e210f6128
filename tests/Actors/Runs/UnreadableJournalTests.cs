using Akka.Persistence;
using Elastic.Actors.Runs;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Actors.Tests.Runs;

public sealed class UnreadableJournalTests
{
    [Fact]
    public void Only_a_journal_that_is_damaged_is_to_be_restored_from_a_copy()
    {
        Assert.EndsWith("start the run again when that is over", Why(new RecoveryTimedOutException("nothing came within 30s.")),
            StringComparison.Ordinal);
        Assert.EndsWith("start the run again when that is over", Why(new InvalidOperationException("a", new TimeoutException("b"))),
            StringComparison.Ordinal);
        Assert.Contains("restore journal.db from a copy", Why(new InvalidOperationException("malformed")), StringComparison.Ordinal);
        Assert.EndsWith("event 3 is damaged", Why(new ElasticException("event 3 is damaged")), StringComparison.Ordinal);
    }

    private static string Why(Exception reason) => UnreadableJournal.Why(new RunId("a-12345678"), reason);
}
