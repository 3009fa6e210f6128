using Elastic.Foundation;

namespace Elastic.Storage.Tests;

public sealed class DatabaseAddressTests
{
    [Theory]
    [InlineData("mysql://u:secret@h/d")]
    [InlineData("journal.db")]
    [InlineData("sqlite:")]
    [InlineData("postgres://")]
    [InlineData("postgres://host")]
    [InlineData("postgres://u:p@host:port/d")]
    [InlineData("postgres://u:secret@host/d?sslmood=require")]
    [InlineData("postgres://u:secret@host/d?sslmode=perhaps")]
    public void What_is_no_address_is_refused_with_what_would_be_one(string text)
    {
        var why = Assert.Throws<ElasticException>(() => DatabaseAddress.Parse(text, "/data")).Message;
        Assert.Matches("sqlite:PATH|postgres://user:password@host:port/database|Npgsql", why);
        Assert.DoesNotContain("secret", why, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "sqlite:/data/journal.db")]
    [InlineData("", "sqlite:/data/journal.db")]
    [InlineData("sqlite:/var/lib/elastic/shared.db", "sqlite:/var/lib/elastic/shared.db")]
    [InlineData("postgres://anna:secret@db.example:6543/elastic", "postgres://anna@db.example:6543/elastic")]
    [InlineData("postgresql://anna@db.example/elastic", "postgres://anna@db.example:5432/elastic")]
    [InlineData("postgres://db.example/elastic", "postgres://db.example:5432/elastic")]
    public void What_people_see_has_no_password(string? text, string shown) =>
        Assert.Equal(shown, DatabaseAddress.Parse(text, "/data").ToString());

    [Theory]
    [InlineData("postgres://anna:secret@db/elastic", "postgres://anna:***@db/elastic")]
    [InlineData("postgres://anna:se:cr/et@x@db/elastic?sslmode=require", "postgres://anna:***@db/elastic?sslmode=require")]
    [InlineData("postgres://db/elastic?username=anna&Password=secret", "postgres://db/elastic?username=anna&Password=***")]
    [InlineData("postgres://db/elastic?ssl_password=sec&ret", "postgres://db/elastic?ssl_password=***&***")]
    [InlineData("postgres://db/elastic?password=sec&ret=1&sslmode=require", "postgres://db/elastic?password=***&ret=***&sslmode=require")]
    [InlineData("postgres://anna:sec?ret@db/elastic?sslmode=require", "postgres://anna:***@db/elastic?sslmode=require")]
    [InlineData("postgres://anna:12?sec/r#et@db/elastic", "postgres://anna:***@db/elastic")]
    [InlineData("postgres://db/elastic?username=a@b&pwd=secret#secret", "postgres://db/elastic?username=a@b&pwd=***")]
    [InlineData("postgres://db:5432/elastic?user=a@b&psw=secret", "postgres://db:***@b?psw=***")]
    [InlineData("postgres://anna:secret", "postgres://anna:***")]
    [InlineData("postgres://anna:secret/elastic", "postgres://anna:***")]
    [InlineData("anna:secret@db/elastic", "***")]
    [InlineData("Host=db;Username=anna;Password=secret", "***")]
    [InlineData(
        "postgres://db:5432/elastic?connect_timeout=3&sslrootcert=/ca.pem",
        "postgres://db:5432/elastic?connect_timeout=3&sslrootcert=/ca.pem")]
    [InlineData("postgres://anna@db/elastic?password-file=/run/pw", "postgres://anna@db/elastic?password-file=/run/pw")]
    [InlineData("postgres://[::1]:5432/elastic", "postgres://[::1]:5432/elastic")]
    [InlineData("sqlite:/a@b:c", "sqlite:/a@b:c")]
    [InlineData("", "")]
    public void An_address_as_it_was_typed_is_shown_without_its_passwords(string text, string shown) =>
        Assert.Equal(shown, DatabaseAddress.WithoutPassword(text));

    [Fact]
    public void A_password_may_stand_in_a_file()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "p@ss word\nand what else\n");
        var database = DatabaseAddress.Parse($"postgres://anna@db/d?password-file={Uri.EscapeDataString(file)}", "/data");
        Assert.Contains("Password=\"p@ss word\"", database.ConnectionString, StringComparison.Ordinal);
        Assert.Equal("postgres://anna@db:5432/d", database.ToString());
        foreach (var (text, why) in new[] { ("\n", "begins with an empty line"), (new string('x', 5000), "at most 4096 are read") })
        {
            File.WriteAllText(file, text);
            Assert.Contains(why, Refusal(), StringComparison.Ordinal);
        }

        File.Delete(file);
        Assert.Contains($"the password-file {file}", Refusal(), StringComparison.Ordinal);

        string Refusal() => Assert.Throws<ElasticException>(
            () => DatabaseAddress.Parse($"postgres://anna@db/d?password-file={file}", "/data")).Message;
    }

    [Theory]
    [InlineData(null, "SQLite.MS", "Data Source=/data/journal.db;Default Timeout=15")]
    [InlineData("postgres://anna:p%40ss%2Fw%3Bord@db.example:6543/el%20astic", "PostgreSQL.15",
        "Host=db.example;Port=6543;Database=\"el astic\";Timeout=5;Application Name=elastic;Username=anna;Password=\"p@ss/w;ord\"")]
    [InlineData("postgres://anna@[2001:db8::1]/d?sslmode=verify-full&connect_timeout=3", "PostgreSQL.15",
        "Host=[2001:db8::1];Port=5432;Database=d;Timeout=3;Application Name=elastic;Username=anna;SSL Mode=VerifyFull")]
    [InlineData("postgres://db.example/d?sslmode=verify-full&sslrootcert=/etc/ca.pem&sslcert=/etc/s.pem&sslkey=/etc/s.key", "PostgreSQL.15",
        "Host=db.example;Port=5432;Database=d;Timeout=5;Application Name=elastic;SSL Mode=VerifyFull;Root Certificate=/etc/ca.pem;"
        + "SSL Certificate=/etc/s.pem;SSL Key=/etc/s.key")]
    public void The_driver_gets_all_of_it(string? text, string provider, string connection)
    {
        var database = DatabaseAddress.Parse(text, "/data");
        Assert.Equal(provider, database.ProviderName);
        Assert.Equal(connection, database.ConnectionString);
    }
}
