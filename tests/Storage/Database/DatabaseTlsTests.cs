using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

/// <summary>What <c>sslmode=verify-full</c> in the address of a PostgreSQL database keeps out, shown against a real server.</summary>
[Collection(DatabaseCollection.Name)]
public sealed class DatabaseTlsTests(Databases databases) : TemporaryFolder
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_server_whose_certificate_has_its_name_and_is_of_the_named_authority_is_spoken_to_encrypted()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        var postgres = await databases.PostgresAsync();
        await using var connection = await Address(postgres, "127.0.0.1", "verify-full", postgres.AuthorityFile).OpenAsync(deadline.Token);
        Assert.True(
            await connection.ScalarAsync("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", deadline.Token) is true);
    }

    [Fact]
    public async Task A_server_with_a_certificate_of_another_authority_is_not_and_a_seed_says_why()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = new CertificateRequest("CN=authority", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var file = Path.Combine(Folder, "other.pem");
        await File.WriteAllTextAsync(file, other.ExportCertificatePem());
        var postgres = await databases.PostgresAsync();
        Assert.Contains(
            "is not trusted", await ComplaintAsync(Address(postgres, "127.0.0.1", "verify-full", file)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_with_a_certificate_of_another_name_is_not_and_a_seed_says_why()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        var postgres = await databases.PostgresAsync();
        Assert.Contains("the server's must name the host in --database",
            await ComplaintAsync(Address(postgres, "localhost", "verify-full", postgres.AuthorityFile)), StringComparison.Ordinal);
        // The name is all that is wrong.
        await using var known = await Address(postgres, "localhost", "verify-ca", postgres.AuthorityFile).OpenAsync(deadline.Token);
    }

    // What a seed says that is started with this database.
    private static async Task<string> ComplaintAsync(DatabaseAddress database)
    {
        using var enough = new CancellationTokenSource(Deadline);
        var said = new ConcurrentQueue<string>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => database.PrepareAsync(text =>
        {
            said.Enqueue(text);
            enough.Cancel();
        }, enough.Token));
        return Assert.Single(said);
    }

    private DatabaseAddress Address(PostgresInstance postgres, string host, string mode, string authority) =>
        DatabaseAddress.Parse($"{postgres.UrlAt(host, mode)}&sslrootcert={Uri.EscapeDataString(authority)}", Folder);
}
