using System.Security.Cryptography.X509Certificates;
using Elastic.Foundation.Certificates;

namespace Elastic.Foundation.Tests.Joining;

/// <summary>Certificates that are renewed and revoked while processes run.</summary>
public sealed class RenewalTests : JoinScene
{
    [Fact]
    public async Task A_seed_renews_the_certificate_that_it_is_shown_and_a_running_process_takes_the_new_one_by_itself()
    {
        await JoinAsync(await TokenAsync(), "gpu1");
        var (files, time) = (FilesOf("gpu1"), new ManualTime());
        using var running = Credentials.OfNode(files, time);
        var (before, key) = (SerialOf(files), await File.ReadAllTextAsync(files.Key, Cancel));
        using (var own = Credentials.OfNode(files, TimeProvider.System))
            await JoinClient.RenewAsync(Seed.Endpoint, own, [], Cancel);
        Assert.NotEqual(before, SerialOf(files));
        Assert.Equal(key, await File.ReadAllTextAsync(files.Key, Cancel));
        time.Advance(TimeSpan.FromSeconds(2));
        using var shown = X509CertificateLoader.LoadCertificate(running.CertificateBytes.Span);
        Assert.Equal(SerialOf(files), shown.SerialNumber);
        Assert.Contains(Seed.Said, s => s.StartsWith("renewed the certificate of worker gpu1 at 127.0.0.1:", StringComparison.Ordinal));
        Assert.Empty(Seed.Accepted);
    }

    [Fact]
    public async Task A_running_process_takes_a_certificate_behind_links_when_their_folder_is_replaced()
    {
        var (files, link, time) = (FilesOf("linked"), Path.Combine(Folder, "linked", "data"), new ManualTime());
        Directory.CreateDirectory(files.Folder);
        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
            foreach (var name in new[] { "gpu1", "gpu2" })
                Issue(issuer, FilesOf(name), new Identity(name, Role.Worker));
        Directory.CreateSymbolicLink(link, FilesOf("gpu1").Folder);
        foreach (var file in new[] { files.Authority, files.Certificate, files.Key })
            File.CreateSymbolicLink(file, Path.Combine("data", Path.GetFileName(file)));
        using var running = Credentials.OfNode(files, time);
        Directory.Delete(link);
        Directory.CreateSymbolicLink(link, FilesOf("gpu2").Folder);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("gpu2", running.Self.Name);
    }

    [Fact]
    public async Task A_person_s_certificate_is_renewed_too_though_it_opens_nothing_else_of_that_port()
    {
        await JoinAsync(await TokenAsync(Role.Reader), "ada");
        using var person = Credentials.OfPerson(FilesOf("ada"), TimeProvider.System);
        await JoinClient.RenewAsync(Seed.Endpoint, person, [], Cancel);
        using var connection = await TlsTransport.BetweenNodes(person).ConnectAsync(Seed.Endpoint, Cancel);
        await Assert.ThrowsAnyAsync<IOException>(() => connection.Stream.ReadExactlyAsync(new byte[1], Cancel).AsTask());
        Assert.Empty(Seed.Accepted);
    }

    [Fact]
    public async Task An_expired_certificate_is_not_renewed()
    {
        var files = FilesOf("gpu1");
        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
            Issue(issuer, files, new Identity("gpu1", Role.Worker), TimeSpan.FromMinutes(-1));
        // Its own process says so at once; one with a wrong clock is told by the seed.
        Assert.Contains("a join token (elastic certs token) gets another one", Assert.Throws<ElasticException>(
            () => Credentials.OfNode(files, TimeProvider.System)).Message, StringComparison.Ordinal);
        using var late = Credentials.OfNode(files, new ManualTime(DateTimeOffset.UtcNow - TimeSpan.FromHours(1)));
        await Assert.ThrowsAsync<UnavailableException>(() => JoinClient.RenewAsync(Seed.Endpoint, late, [], Cancel));
        await UntilAsync("the seed had said why", () => !Seed.Said.IsEmpty);
        Assert.Contains(Seed.Said, s => s.Contains("worker gpu1, which expired on ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_node_whose_certificate_has_expired_gets_another_one_with_a_token()
    {
        var files = FilesOf("gpu1");
        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
            Issue(issuer, files, new Identity("gpu1", Role.Worker), TimeSpan.FromMinutes(-1));
        var (token, said) = (await TokenAsync(), new List<string>());
        await JoinClient.JoinAsync([Seed.Endpoint], () => token, Role.Worker, () => "gpu1", files, said.Add, Cancel);
        Assert.Contains("which expired on ", said[0], StringComparison.Ordinal);
        using var credentials = Credentials.OfNode(files, TimeProvider.System);
        Assert.Equal(new Identity("gpu1", Role.Worker), credentials.Self);
    }

    // On this machine a token leads nowhere: its seed, which alone gives certificates, does not start.
    [Fact]
    public async Task Where_the_authority_s_key_is_an_expired_certificate_or_a_revoked_one_is_told_with_what_makes_another_one_there()
    {
        var (time, said) = (new ManualTime(), new List<string>());
        using var running = Credentials.OfNode(SeedFiles, time);
        running.Say = said.Add;
        var renewed = $"elastic certs renew --certs {SeedFiles.Folder} renews it";
        time.Advance(CertificateAuthority.Validity - TimeSpan.FromDays(2));
        Assert.EndsWith($"): {renewed}", Assert.Single(said), StringComparison.Ordinal);
        time.Advance(TimeSpan.FromDays(3));
        Assert.EndsWith($"Z: {renewed}", running.OwnProblem, StringComparison.Ordinal);
        Assert.EndsWith($"Z: nobody takes it any more; {renewed}",
            Expiry.WarningOf("seed seed1", running.Expires, time.GetUtcNow(), SeedFiles), StringComparison.Ordinal);
        Assert.EndsWith($"Z: {renewed}", Assert.Throws<ElasticException>(() => Credentials.OfNode(SeedFiles, time)).Message,
            StringComparison.Ordinal);

        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
            issuer.Revoke("seed1");
        Assert.Contains($"which was revoked: elastic certs node seed1 --role seed --certs {SeedFiles.Folder} --out DIR makes another one",
            Assert.Throws<ElasticException>(() => Credentials.OfNode(SeedFiles, TimeProvider.System)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_that_cannot_be_read_costs_no_key_whether_a_token_brings_another_one_or_not()
    {
        await JoinAsync(await TokenAsync(), "gpu1");
        var used = await TokenAsync();
        await JoinAsync(used, "gpu2");
        var files = FilesOf("gpu1");
        var (certificate, key) = (await File.ReadAllTextAsync(files.Certificate, Cancel), await File.ReadAllTextAsync(files.Key, Cancel));
        await File.WriteAllTextAsync(files.Certificate, "half", Cancel);
        await Assert.ThrowsAsync<ElasticException>(() => JoinAsync(used, "gpu1"));
        await File.WriteAllTextAsync(files.Certificate, certificate, Cancel);
        Credentials.OfNode(files, TimeProvider.System).Dispose();

        // The name is taken: the authority knows it by its key.
        await File.WriteAllTextAsync(files.Certificate, "half", Cancel);
        await JoinAsync(await TokenAsync(), "gpu1");
        Credentials.OfNode(files, TimeProvider.System).Dispose();
        Assert.Equal(key, await File.ReadAllTextAsync(files.Key, Cancel));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("half")]
    public async Task An_authority_s_certificate_that_cannot_be_read_costs_no_key(string? left)
    {
        await JoinAsync(await TokenAsync(), "gpu1");
        var files = FilesOf("gpu1");
        var key = await File.ReadAllTextAsync(files.Key, Cancel);
        File.Delete(files.Authority);
        if (left is not null)
            await File.WriteAllTextAsync(files.Authority, left, Cancel);
        await JoinAsync(await TokenAsync(), "gpu1");
        Credentials.OfNode(files, TimeProvider.System).Dispose();
        Assert.Equal(key, await File.ReadAllTextAsync(files.Key, Cancel));
    }

    [Fact]
    public async Task A_key_that_is_drawn_for_a_revoked_certificate_s_successor_replaces_the_old_one_when_that_is_here()
    {
        var token = await TokenAsync();
        await JoinAsync(token, "gpu1");
        var files = FilesOf("gpu1");
        var key = await File.ReadAllTextAsync(files.Key, Cancel);
        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
            issuer.Revoke("gpu1");
        await Assert.ThrowsAsync<ElasticException>(() => JoinAsync(token, "gpu1"));
        Assert.Equal(key, await File.ReadAllTextAsync(files.Key, Cancel));
        await JoinAsync(await TokenAsync(), "gpu1");
        Assert.NotEqual(key, await File.ReadAllTextAsync(files.Key, Cancel));
        Credentials.OfNode(files, TimeProvider.System).Dispose();
        Assert.Empty(Directory.GetFiles(files.Folder, "*.drawn"));
    }

    [Fact]
    public async Task A_revoked_certificate_is_not_renewed_once_the_running_seed_has_noticed_the_list()
    {
        await JoinAsync(await TokenAsync(), "gpu1");
        var time = new ManualTime();
        var seed = Start(SeedFiles, time);
        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
            issuer.Revoke(SerialOf(FilesOf("gpu1")).ToLowerInvariant());
        time.Advance(TimeSpan.FromSeconds(2));
        using var own = Credentials.OfNode(FilesOf("gpu1"), TimeProvider.System);
        await Assert.ThrowsAsync<UnavailableException>(() => JoinClient.RenewAsync(seed.Endpoint, own, [], Cancel));
        await UntilAsync("the seed had said why", () => !seed.Said.IsEmpty);
        Assert.Contains(seed.Said, s => s.Contains("worker gpu1, which was revoked", StringComparison.Ordinal));
        // A seed that has not noticed yet does not issue one either.
        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
        using (var present = X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(FilesOf("gpu1").Certificate, Cancel)))
            Assert.Contains("was revoked", Assert.Throws<ElasticException>(() => issuer.Renew(present, "test", [])).Message,
                StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_list_counts_even_for_a_process_whose_own_certificate_is_on_it()
    {
        await JoinAsync(await TokenAsync(uses: 2), "gpu1");
        var (time, said) = (new ManualTime(), new List<string>());
        using var running = Credentials.OfNode(FilesOf("gpu1"), time);
        running.Say = said.Add;
        using var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel);
        issuer.Revoke("gpu1");
        running.Take(issuer.SignedRevocations!);
        running.Take(issuer.SignedRevocations!);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(1, running.Revocations.Number);
        Assert.Equal(["others refuse this process: it shows the certificate of worker gpu1, which was revoked: a join token (elastic "
            + "certs token) gets another one"], said);
    }

    [Fact]
    public async Task A_list_from_elsewhere_never_replaces_a_newer_one_that_was_just_written_here()
    {
        var time = new ManualTime();
        using var running = Credentials.OfNode(SeedFiles, time);
        using var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel);
        issuer.Issue(KeyOf(SeedFiles), new Identity("seed1", Role.Seed), CertificateAuthority.Validity, "test");
        issuer.Revoke(issuer.Issued[0].Serial);
        var older = issuer.SignedRevocations!;
        issuer.Revoke(issuer.Issued[1].Serial);
        running.Take(older);
        Assert.Equal(2, issuer.Revocations.Number);
    }

    [Fact]
    public async Task People_are_warned_a_week_ahead_at_the_start_and_once_a_day()
    {
        var files = FilesOf("gpu1");
        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
            Issue(issuer, files, new Identity("gpu1", Role.Worker), TimeSpan.FromDays(9));
        var (time, said) = (new ManualTime(), new List<string>());
        using var running = Credentials.OfNode(files, time);
        running.Say = said.Add;
        time.Advance(TimeSpan.FromDays(1));
        Assert.Empty(said);
        time.Advance(TimeSpan.FromDays(1));
        Assert.Contains("the certificate of worker gpu1 expires in 6 days (", Assert.Single(said), StringComparison.Ordinal);
        time.Advance(TimeSpan.FromHours(23));
        Assert.Single(said);
        time.Advance(TimeSpan.FromHours(1));
        Assert.Contains("expires in 5 days", said[^1], StringComparison.Ordinal);
        Assert.Equal(2, said.Count);
    }

    [Fact]
    public async Task A_list_drops_what_has_expired_and_is_refused_before_it_is_too_long_to_be_handed_on()
    {
        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
        {
            Issue(issuer, FilesOf("a"), new Identity("a", Role.Worker), TimeSpan.FromHours(1));
            Issue(issuer, FilesOf("b"), new Identity("b", Role.Worker));
            issuer.Revoke("a");
        }

        using (var issuer = await Issuer.OpenAsync(SeedFiles, new ManualTime(DateTimeOffset.UtcNow + TimeSpan.FromDays(2)), Cancel))
        {
            issuer.Revoke("b");
            Assert.Equal(["worker b"], issuer.Revocations.Revoked.Values);
            Assert.Equal(2, issuer.Revocations.Number);
        }

        using (var authority = CertificateAuthority.Open(SeedFiles))
        {
            var many = Enumerable.Range(0, 2000).Aggregate(Revocations.None, (l, i) => l.With($"{i:X32}", $"worker gpu{i}"));
            Assert.Contains("is full", Assert.Throws<ElasticException>(() => many.Signed(authority)).Message, StringComparison.Ordinal);
        }
    }

    private static PublicKey KeyOf(CertificateFiles files)
    {
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(files.Certificate));
        return certificate.PublicKey;
    }

    private static string SerialOf(CertificateFiles files)
    {
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(files.Certificate));
        return certificate.SerialNumber;
    }
}
