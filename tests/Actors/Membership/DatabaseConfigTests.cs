using Elastic.Actors.Hosting;
using Elastic.Storage;

namespace Elastic.Actors.Tests.Membership;

public sealed class DatabaseConfigTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("postgres://anna:p%40ss%2Fw%3Bord@db.example:6543/el%20astic")]
    public void The_journal_gets_all_of_the_address(string? text)
    {
        var database = DatabaseAddress.Parse(text, "/data");
        var journal = database.JournalSettings().GetConfig("akka.persistence.journal.sql");
        Assert.Equal(database.ProviderName, journal.GetString("provider-name"));
        Assert.Equal(database.ConnectionString, journal.GetString("connection-string"));
    }
}
