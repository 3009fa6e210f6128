using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Commands;
using Elastic.Testing;

namespace Elastic.Host.Tests.Commands;

/// <summary><c>elastic certs</c> as it is typed, with a seed's port behind it where one is needed.</summary>
public sealed class CertsCommandTests : TemporaryFolder, IDisposable
{
    private StringWriter _output = new(), _error = new();

    private string Seed => Path.Combine(Folder, "seed");

    private CertificateFiles SeedFiles => new(Path.Combine(Seed, "certs"));

    void IDisposable.Dispose()
    {
        _output.Dispose();
        _error.Dispose();
        base.Dispose();
    }

    [Fact]
    public async Task Init_makes_an_authority_a_seed_and_an_admin_and_says_what_to_type_next_and_never_does_it_twice()
    {
        Assert.Equal(ExitCodes.Done, await Run("certs", "init", "--data-dir", Seed));
        var id = (await File.ReadAllTextAsync(Path.Combine(Seed, "node-id"))).Trim();
        var said = _output.ToString();
        Assert.Contains($"  node.pem, node.key      seed {id}, this machine's node, for 90 days\n", said, StringComparison.Ordinal);
        Assert.Contains($"  elastic seed --host ADDRESS --data-dir {Seed}\n", said, StringComparison.Ordinal);
        using (var node = Credentials.OfNode(SeedFiles, TimeProvider.System))
        using (var person = Credentials.OfPerson(SeedFiles, TimeProvider.System))
            Assert.Equal((new Identity(id, Role.Seed), Role.Admin), (node.Self, person.Self.Role));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(SeedFiles.Folder));
            foreach (var key in new[] { SeedFiles.AuthorityKey, SeedFiles.Key, SeedFiles.AdminKey })
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
        }

        var before = await File.ReadAllTextAsync(SeedFiles.AuthorityKey);
        Assert.Equal(ExitCodes.Failed, await Run("certs", "init", "--data-dir", Seed));
        Assert.Contains("has the certificates of a cluster", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllTextAsync(SeedFiles.AuthorityKey));
    }

    [Fact]
    public async Task A_token_is_the_only_line_of_standard_output_and_is_shown_again_nowhere()
    {
        await Run("certs", "init", "--data-dir", Seed);
        Assert.Equal(ExitCodes.Done, await Run(
            "certs", "token", "--role", "worker", "--uses", "2", "--expires", "90m", "--data-dir", Seed));
        var token = JoinToken.Parse(_output.ToString().TrimEnd('\n'))!;
        Assert.Contains("--token-file FILE", _error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(token.Secret, _error.ToString(), StringComparison.Ordinal);
        await Run("certs", "show", "--data-dir", Seed);
        Assert.Contains($"{token.Hash.Short}  worker     2  1 hour", _output.ToString(), StringComparison.Ordinal);
        await Run("certs", "show", "--json", "--data-dir", Seed);
        Assert.DoesNotContain(token.Secret, _output.ToString(), StringComparison.Ordinal);
        var stored = JsonNode.Parse(_output.ToString())!["tokens"]!.AsArray().Single()!;
        Assert.Equal((token.Hash.Hex, 2), ((string?)stored["hash"], (int)stored["left"]!));

        Assert.Equal(ExitCodes.Done, await Run("certs", "revoke", token.Hash.Short, "--data-dir", Seed));
        Assert.Equal($"withdrew join token {token.Hash.Short} for a worker\n", _output.ToString());
        await Run("certs", "show", "--data-dir", Seed);
        Assert.Contains("no open join tokens", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_names_that_a_token_gives_are_shown_whole()
    {
        string[] names = [.. Enumerable.Range(1, 6).Select(i => $"seed{i}.a-long-domain.example"), "10.0.0.5"];
        await Run("certs", "init", "--data-dir", Seed);
        Assert.Equal(ExitCodes.Done, await Run(
            ["certs", "token", "--role", "seed", .. names.SelectMany(n => (string[])["--address", n]), "--data-dir", Seed]));
        var token = JoinToken.Parse(_output.ToString().TrimEnd('\n'))!;
        await Run("certs", "show", "--data-dir", Seed);
        Assert.Contains(
            $"\n{token.Hash.Short} also gets the names {string.Join(", ", names)}\n", _output.ToString(), StringComparison.Ordinal);
        await Run("certs", "show", "--json", "--data-dir", Seed);
        Assert.Equal(names, JsonNode.Parse(_output.ToString())!["tokens"]![0]!["names"]!.AsArray().Select(n => (string?)n));
    }

    [Fact]
    public async Task A_certificate_that_cannot_be_written_is_not_issued()
    {
        await Run("certs", "init", "--data-dir", Seed);
        var target = Path.Combine(Folder, "ada");
        string[] node = ["certs", "node", "ada", "--role", "admin", "--data-dir", Seed, "--out"];
        Assert.Equal(ExitCodes.Failed, await Run([.. node, Path.Combine(SeedFiles.Certificate, "ada")]));
        Assert.Contains("name another place with --out", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Done, await Run([.. node, target]));

        // Another certificate of the name is refused, and leaves no key behind.
        Assert.Equal(ExitCodes.Failed, await Run("certs", "node", "ada", "--role", "worker", "--data-dir", Seed, "--out", target + "b"));
        Assert.False(File.Exists(Path.Combine(target + "b", "node.key")));
    }

    [Fact]
    public async Task A_certificate_that_is_made_for_another_machine_is_shown_until_it_is_revoked()
    {
        await Run("certs", "init", "--data-dir", Seed);
        var target = Path.Combine(Folder, "gpu7");
        Assert.Equal(ExitCodes.Done, await Run(
            "certs", "node", "gpu7", "--role", "worker", "--out", target, "--days", "3", "--data-dir", Seed));
        using (var node = Credentials.OfNode(new CertificateFiles(target), TimeProvider.System))
            Assert.Equal(new Identity("gpu7", Role.Worker), node.Self);
        await Run("certs", "show", "--certs", target);
        Assert.Contains("expires in 2 days", _output.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Failed, await Run("certs", "node", "gpu8", "--role", "worker", "--out", target, "--data-dir", Seed));
        Assert.Contains("has a certificate already: name another folder with --out", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Failed, await Run(
            "certs", "node", "gpu7", "--role", "seed", "--out", target + "b", "--data-dir", Seed));
        Assert.Contains("worker gpu7 has a certificate already", _error.ToString(), StringComparison.Ordinal);

        Assert.Equal(ExitCodes.NotFound, await Run("certs", "revoke", "gpu8", "--data-dir", Seed));
        Assert.Contains("did you mean gpu7?", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Done, await Run("certs", "revoke", "gpu7", "--data-dir", Seed));
        Assert.StartsWith("revoked worker gpu7, serial ", _output.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.NotFound, await Run("certs", "revoke", "gpu7", "--data-dir", Seed));
        await Run("certs", "show", "--json", "--data-dir", Seed);
        var shown = JsonNode.Parse(_output.ToString())!;
        Assert.Equal(["valid", "valid", "revoked"], shown["issued"]!.AsArray().Select(i => (string?)i!["state"]));
        Assert.Equal("worker gpu7", (string?)shown["revoked"]!.AsArray().Single()!["holder"]);
    }

    [Fact]
    public async Task Renewal_where_the_authority_s_key_is_keeps_the_keys()
    {
        await Run("certs", "init", "--data-dir", Seed);
        var (key, certificate) = (await File.ReadAllTextAsync(SeedFiles.Key), await File.ReadAllTextAsync(SeedFiles.Certificate));
        Assert.Equal(ExitCodes.Done, await Run("certs", "renew", "--data-dir", Seed));
        Assert.Equal(2, _output.ToString().Split("valid until").Length - 1);
        Assert.Equal(key, await File.ReadAllTextAsync(SeedFiles.Key));
        Assert.NotEqual(certificate, await File.ReadAllTextAsync(SeedFiles.Certificate));
    }

    [Theory]
    [InlineData(3650, "the authority expired on ", ": elastic certs init --certs DIR makes another one")]
    [InlineData(-3, "the authority is valid from ", " on: see this machine's clock")]
    public async Task An_authority_that_has_come_to_its_end_or_not_begun_is_told_with_what_to_do(int age, string what, string remedy)
    {
        await Run("certs", "init", "--data-dir", Seed);
        File.Delete(SeedFiles.Authority);
        File.Delete(SeedFiles.AuthorityKey);
        CertificateAuthority.Create(SeedFiles, DateTimeOffset.UtcNow.AddDays(-age)).Dispose();
        string[] node = ["certs", "node", "gpu7", "--role", "worker", "--days", "1", "--out", Path.Combine(Folder, "gpu7")];
        Assert.Equal(ExitCodes.Failed, await Run([.. node, "--data-dir", Seed]));
        Assert.StartsWith($"error: {what}", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains(remedy, _error.ToString(), StringComparison.Ordinal);
        await Run("certs", "show", "--data-dir", Seed);
        Assert.Equal(age > 0, _output.ToString().Contains(what, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Who_renews_a_certificate_is_told_of_keys_that_others_can_read()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes");
        await Run("certs", "init", "--data-dir", Seed);
        await Run("certs", "renew", "--data-dir", Seed);
        Assert.Empty(_error.ToString());
        if (!OperatingSystem.IsWindows())
            foreach (var key in new[] { SeedFiles.AdminKey, SeedFiles.AuthorityKey })
                File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        Assert.Equal(ExitCodes.Done, await Run("certs", "renew", "--data-dir", Seed));
        var lines = _error.ToString().TrimEnd().Split('\n');
        Assert.StartsWith($"{SeedFiles.AdminKey} is open to other users (mode 0640), who can speak in the name of admin ", lines[0],
            StringComparison.Ordinal);
        Assert.Equal(
            $"{SeedFiles.AuthorityKey} is open to other users (mode 0640), who can make any certificate: chmod 600 "
            + SeedFiles.AuthorityKey, lines[1]);
    }

    [Fact]
    public async Task A_machine_joins_with_a_token_and_renews_its_certificate_at_the_seed()
    {
        await Run("certs", "init", "--data-dir", Seed);
        await Run("certs", "token", "--role", "reader", "--data-dir", Seed);
        var (token, mine) = (Path.Combine(Folder, "token"), Path.Combine(Folder, "mine"));
        await File.WriteAllTextAsync(token, _output.ToString());
        await using var seed = new Port(SeedFiles);
        Assert.Equal(ExitCodes.Done, await Run(
            "certs", "join", "--seed", $"{seed.Endpoint}", "--token-file", token, "--name", "ada", "--certs", mine));
        Assert.Equal(
            $"{seed.Endpoint} has given the certificate of reader ada: it is in {mine}\n", _output.ToString());
        Assert.Equal(ExitCodes.Failed, await Run(
            "certs", "join", "--seed", $"{seed.Endpoint}", "--token-file", token, "--certs", Path.Combine(Folder, "again")));
        Assert.Contains("used up or withdrawn, last by ada", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Done, await Run("certs", "renew", "--seed", $"{seed.Endpoint}", "--certs", mine));
        Assert.StartsWith($"renewed {Path.Combine(mine, "admin.pem")}: valid until ", _output.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.WrongUsage, await Run("certs", "renew", "--certs", mine));
        Assert.Contains("name a seed that has it with --seed", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Unreachable, await Run("certs", "renew", "--seed", "127.0.0.1:1", "--certs", mine));
        Assert.Equal(ExitCodes.WrongUsage, await Run(
            "certs", "renew", "--seed", $"{seed.Endpoint}", "--certs", mine, "--address", "lm.example"));
        Assert.Contains("holds no seed's certificate", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_seed_of_another_machine_gets_the_name_of_its_token_and_another_one_is_not_dropped_silently()
    {
        await Run("certs", "init", "--data-dir", Seed);
        await Run("certs", "token", "--role", "seed", "--address", "LM.example", "--data-dir", Seed);
        var (token, other) = (Path.Combine(Folder, "token"), Path.Combine(Folder, "other"));
        await File.WriteAllTextAsync(token, _output.ToString());
        await using var seed = new Port(SeedFiles);
        var at = $"{seed.Endpoint}";
        Assert.Equal(ExitCodes.Done, await Run("certs", "join", "--seed", at, "--token-file", token, "--data-dir", other));
        Assert.Equal(ExitCodes.Done, await Run(
            "certs", "renew", "--seed", at, "--address", "lm.example", "--address", "127.0.0.1", "--data-dir", other));
        Assert.Equal(ExitCodes.Failed, await Run(
            "certs", "renew", "--seed", at, "--address", "bank.example", "--address", "::1", "--data-dir", other));
        Assert.Contains("renewed, but without bank.example: ", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("did you mean worker?", "certs", "node", "a", "--role", "wroker", "--out", "x")]
    [InlineData("did you mean admin?", "certs", "token", "--role", "admn")]
    [InlineData("--uses 0: use 1 to 10000", "certs", "token", "--role", "worker", "--uses", "0")]
    [InlineData("--expires 24: use minutes, hours or days", "certs", "token", "--role", "worker", "--expires", "24")]
    [InlineData("--expires 31d: use minutes, hours or days", "certs", "token", "--role", "worker", "--expires", "31d")]
    [InlineData("--address: a worker's certificate has no names", "certs", "token", "--role", "worker", "--address", "lm.example")]
    [InlineData("--days 0: use 1 to 3650", "certs", "node", "a", "--role", "worker", "--out", "x", "--days", "0")]
    [InlineData("--seed 10.0.0.5 is no address", "certs", "join", "--seed", "10.0.0.5", "--token-file", "x")]
    [InlineData("--token-file needs --seed HOST:PORT", "seed", "--token-file", "x")]
    [InlineData("did you mean token?", "certs", "tokn")]
    public async Task What_is_typed_wrong_is_wrong_usage(string why, params string[] args)
    {
        Assert.Equal(ExitCodes.WrongUsage, await Run([.. args, .. args.Contains("tokn") ? Array.Empty<string>() : ["--data-dir", Seed]]));
        Assert.Contains(why, _error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Seed));
    }

    [Fact]
    public async Task Where_there_are_no_certificates_or_no_key_the_way_to_them_is_told()
    {
        Assert.Equal(ExitCodes.NotFound, await Run("certs", "show", "--data-dir", Seed));
        Assert.Equal(ExitCodes.NotFound, await Run("certs", "renew", "--data-dir", Seed));
        Assert.Equal(ExitCodes.Failed, await Run("certs", "token", "--role", "worker", "--data-dir", Seed));
        Assert.Contains("do this where elastic certs init was done", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_holds_no_token_ends_a_worker_before_it_listens_and_is_not_repeated()
    {
        var token = Path.Combine(Folder, "token");
        await File.WriteAllTextAsync(token, "a password");
        Assert.Equal(ExitCodes.Failed, await Run(
            "worker", "--seed", "127.0.0.1:1", "--devices", "none", "--token-file", token, "--data-dir", Path.Combine(Folder, "w")));
        Assert.Contains($"{token} holds no join token", _error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("password", $"{_output}{_error}", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_names_every_role_that_it_lets_in()
    {
        await Run("certs", "init", "--data-dir", Seed);
        Assert.Equal(ExitCodes.NotFound, await Run("serve", "--run", "none", "--host", "192.0.2.1", "--data-dir", Seed));
        Assert.Contains("clients show a certificate of role admin, reader or seed\n", _output.ToString(), StringComparison.Ordinal);
    }

    private async Task<int> Run(params string[] args)
    {
        (_output, _error) = (new StringWriter(), new StringWriter());
        return await ElasticCommandLine.RunAsync(args, _output, _error);
    }

    /// <summary>A seed's control plane, as far as a machine without a certificate sees it.</summary>
    private sealed class Port : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly Credentials _credentials;
        private readonly Task _accepting;

        public Port(CertificateFiles files)
        {
            _credentials = Credentials.OfNode(files, TimeProvider.System);
            _listener.Start();
            _accepting = AcceptAsync(TlsTransport.BetweenNodes(_credentials, JoinServer.For(_credentials)));
        }

        public Endpoint Endpoint => new("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            await _accepting;
            _credentials.Dispose();
        }

        private async Task AcceptAsync(Transport transport)
        {
            while (true)
            {
                try
                {
                    var stream = new NetworkStream(await _listener.AcceptSocketAsync(), ownsSocket: true);
                    await transport.AcceptAsync(stream, default);
                }
                catch (IOException)
                {
                    // Answered, or refused.
                }
                // The listener has ended, before it was asked or while it was.
                catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
                {
                    return;
                }
            }
        }
    }
}
