using System.Security.Cryptography.X509Certificates;
using Elastic.Foundation.Certificates;

namespace Elastic.Foundation.Tests.Joining;

/// <summary>A new machine gets its certificate from a seed, over real connections.</summary>
public sealed class JoiningTests : JoinScene
{
    [Fact]
    public async Task A_used_token_is_refused_and_names_who_used_it()
    {
        var token = await TokenAsync();
        await JoinAsync(token, "gpu1");
        Assert.Contains("used up or withdrawn, last by gpu1 on ", await RefusalAsync(token, "gpu2"), StringComparison.Ordinal);
        Assert.Contains(Seed.Said, s => s.StartsWith(
            $"gave no certificate to request of worker gpu2 at 127.0.0.1:", StringComparison.Ordinal));
    }

    // The seed has counted the use, and the machine, or the connection, dies before the answer is there.
    [Fact]
    public async Task A_machine_whose_answer_was_lost_asks_again_with_its_key_and_no_use_is_counted_twice()
    {
        var token = await TokenAsync(uses: 2);
        await JoinAsync(token, "gpu1");
        File.Delete(FilesOf("gpu1").Certificate);
        await JoinAsync(token, "gpu1");
        await JoinAsync(token, "gpu2");
        Assert.Contains("used up or withdrawn, last by gpu2 on ", await RefusalAsync(token, "gpu3"), StringComparison.Ordinal);
        File.Delete(FilesOf("gpu1").Certificate);
        await JoinAsync(token, "gpu1");

        File.Delete(FilesOf("gpu1").Certificate);
        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
            Assert.Equal(3, issuer.Revoke("gpu1").Count);
        Assert.Contains("used up or withdrawn", await RefusalAsync(token, "gpu1"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_expired_token_is_refused() =>
        Assert.Contains("expired on ", await RefusalAsync(await TokenAsync(lifetime: TimeSpan.FromSeconds(-1)), "gpu1"),
            StringComparison.Ordinal);

    [Fact]
    public async Task A_token_for_another_role_is_refused_whatever_it_says_of_itself_and_stays_unused()
    {
        var token = await TokenAsync(Role.Worker);
        Assert.Contains(
            "is for a worker, not for a seed", await RefusalAsync(token with { Role = Role.Seed }, "gpu1"), StringComparison.Ordinal);
        await JoinAsync(token, "gpu1");
    }

    [Fact]
    public async Task A_token_that_nobody_made_is_refused()
    {
        var token = await TokenAsync();
        Assert.Contains(
            "not known here", await RefusalAsync(token with { Secret = new string('0', 40) }, "gpu1"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../gpu")]
    [InlineData("")]
    [InlineData("a b")]
    public async Task A_name_that_is_none_is_refused_and_costs_no_use(string name)
    {
        var token = await TokenAsync();
        var files = FilesOf("x");
        Assert.Contains("is no name for a certificate", (await Assert.ThrowsAsync<ElasticException>(
            () => JoinClient.AskAsync(Seed.Endpoint, token, name, files, _ => { }, Cancel))).Message, StringComparison.Ordinal);
        await JoinAsync(token, "gpu1");
    }

    [Fact]
    public async Task A_name_that_another_machine_has_is_refused_until_its_certificate_is_revoked()
    {
        var token = await TokenAsync(uses: 2);
        await JoinAsync(token, "gpu1");
        Directory.Delete(FilesOf("gpu1").Folder, recursive: true);
        Assert.Contains("worker gpu1 has a certificate already", await RefusalAsync(token, "gpu1"), StringComparison.Ordinal);
        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
            Assert.Equal("gpu1", Assert.Single(issuer.Revoke("gpu1")).Name);
        await JoinAsync(token, "gpu1");
        // With the list of the revoked ones, so that the machine knows them from the beginning.
        using var credentials = Credentials.OfNode(FilesOf("gpu1"), TimeProvider.System);
        Assert.Equal(1, credentials.Revocations.Number);
    }

    [Fact]
    public async Task A_machine_sends_nothing_to_a_seed_of_another_cluster()
    {
        var foreign = FilesOf("foreign");
        using (var issuer = await Issuer.CreateAsync(foreign, TimeProvider.System, Cancel))
            Issue(issuer, foreign, new Identity("seed1", Role.Seed));
        var other = Start(foreign);
        var token = await TokenAsync();
        Assert.Contains("is of another cluster than this join token", await RefusalAsync(token, "gpu1", other), StringComparison.Ordinal);
        await UntilAsync("the seed noticed that the machine had hung up", () => !other.Refused.IsEmpty);
        Assert.DoesNotContain(other.Said, s => s.Contains(token.Hash.Short, StringComparison.Ordinal));
        await JoinAsync(token, "gpu1");
    }

    [Fact]
    public async Task A_token_that_differs_at_its_end_alone_was_not_copied_whole()
    {
        var token = await TokenAsync();
        var damaged = token with { Pin = new Digest(token.Pin.Hex[..^1] + (token.Pin.Hex[^1] == '0' ? '1' : '0')) };
        var refusal = await RefusalAsync(damaged, "gpu1");
        Assert.StartsWith("this join token was not copied whole", refusal, StringComparison.Ordinal);
        Assert.DoesNotContain(token.Pin.Short, refusal, StringComparison.Ordinal);
        await JoinAsync(token, "gpu1");
    }

    [Fact]
    public async Task Only_a_seed_is_believed_though_the_authority_is_the_right_one()
    {
        var token = await TokenAsync(uses: 2);
        await JoinAsync(token, "gpu1");
        // A worker never serves such requests; this one pretends.
        var worker = Start(FilesOf("gpu1"));
        Assert.Contains("no seed of the cluster that this join token is for, but worker gpu1",
            await RefusalAsync(token, "gpu2", worker), StringComparison.Ordinal);
        Assert.Null(JoinServer.For(worker.Credentials));
    }

    [Fact]
    public async Task A_seed_without_the_authority_s_key_says_who_can_help_and_nothing_is_used_up()
    {
        var second = FilesOf("seed2");
        using (var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel))
            Issue(issuer, second, new Identity("seed2", Role.Seed));
        var token = await TokenAsync();
        var refusal = await Assert.ThrowsAsync<UnavailableException>(() => JoinAsync(token, "gpu1", Start(second)));
        Assert.Contains("seed seed2 has not the authority's key", refusal.Message, StringComparison.Ordinal);
        // One that is asked next is.
        var said = new List<string>();
        await JoinClient.JoinAsync(
            [Start(second).Endpoint, Seed.Endpoint], () => token, Role.Worker, () => "gpu1", FilesOf("gpu1"), said.Add, Cancel);
        Assert.Contains("trying again", said[0], StringComparison.Ordinal);
        Assert.Contains("has given the certificate of worker gpu1", said[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_with_a_certificate_never_looks_at_its_token_again_and_a_wrong_role_never_reaches_the_seed()
    {
        var token = await TokenAsync();
        Task Join(Role role) => JoinClient.JoinAsync(
            [Seed.Endpoint], () => token, role, () => "gpu1", FilesOf("gpu1"), _ => { }, Cancel);
        Assert.Contains("is for a worker, not for a seed", (await Assert.ThrowsAsync<ElasticException>(() => Join(Role.Seed))).Message,
            StringComparison.Ordinal);
        await Join(Role.Worker);
        var certificate = await File.ReadAllTextAsync(FilesOf("gpu1").Certificate, Cancel);
        await JoinClient.JoinAsync(
            [Seed.Endpoint], () => throw new InvalidOperationException("read"), Role.Worker,
            () => throw new InvalidOperationException("drawn"), FilesOf("gpu1"), _ => { }, Cancel);
        Assert.Equal(certificate, await File.ReadAllTextAsync(FilesOf("gpu1").Certificate, Cancel));
    }

    [Fact]
    public async Task A_token_for_three_lets_three_of_eight_in_however_they_come()
    {
        var token = await TokenAsync(uses: 3);
        var joins = Enumerable.Range(0, 8).Select(async i =>
        {
            try
            {
                await JoinAsync(token, $"gpu{i}");
                return true;
            }
            catch (ElasticException)
            {
                return false;
            }
        });
        Assert.Equal(3, (await Task.WhenAll(joins)).Count(j => j));
        using var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel);
        Assert.Equal(4, issuer.Issued.Count);                          // the seed's own, too
        Assert.Empty(issuer.OpenTokens);
    }

    [Fact]
    public async Task The_secret_of_a_token_is_nowhere_on_the_disk_and_in_no_log()
    {
        var token = await TokenAsync(uses: 2);
        await JoinAsync(token, "gpu1");
        foreach (var file in Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories))
            Assert.DoesNotContain(token.Secret, await File.ReadAllTextAsync(file, Cancel), StringComparison.Ordinal);
        Assert.DoesNotContain(Seed.Said, s => s.Contains(token.Secret, StringComparison.Ordinal));
        Assert.DoesNotContain(token.Secret, $"{token} {new JoinRequest(token.Secret)}", StringComparison.Ordinal);
        if (OperatingSystem.IsWindows())
            return;
        const UnixFileMode others = ~(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(SeedFiles.Folder) & others);
        foreach (var secret in Directory.EnumerateFiles(SeedFiles.Tokens).Concat(
            [SeedFiles.Tokens, SeedFiles.AuthorityKey, SeedFiles.Issued, FilesOf("gpu1").Key, FilesOf("gpu1").Folder]))
            Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(secret) & others);
    }

    [Fact]
    public async Task The_key_never_leaves_the_machine_and_the_certificate_is_for_it()
    {
        var token = await TokenAsync(Role.Admin);
        await JoinAsync(token, "ada");
        using var pair = X509Certificate2.CreateFromPemFile(FilesOf("ada").Admin, FilesOf("ada").AdminKey);
        Assert.True(pair.HasPrivateKey);
        using var person = Credentials.OfPerson(FilesOf("ada"), TimeProvider.System);
        Assert.Equal(new Identity("ada", Role.Admin), person.Self);
    }

    [Fact]
    public async Task A_line_of_the_record_that_a_crash_cut_off_hides_no_other()
    {
        await File.AppendAllTextAsync(SeedFiles.Issued, "{\"serial\":\"12", Cancel);
        await JoinAsync(await TokenAsync(), "gpu1");
        using var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel);
        Assert.Equal(["seed1", "gpu1"], issuer.Issued.Select(i => i.Name));
    }
}
