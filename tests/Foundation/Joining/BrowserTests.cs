using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Elastic.Foundation.Certificates;

namespace Elastic.Foundation.Tests.Joining;

/// <summary>What a browser sees of a seed: it trusts the authority that a person told it to, and compares names and addresses.</summary>
public sealed class BrowserTests : JoinScene
{
    [Fact]
    public async Task A_seed_that_joined_has_the_names_of_its_token_and_those_of_any_machine_and_nobody_gives_it_more_over_the_network()
    {
        await JoinAsync(await TokenAsync(Role.Seed, names: "lm.example"), "seed2");
        string[] own = ["127.0.0.1", "::1", "lm.example", "localhost"];
        Assert.Equal(own, NamesOf("seed2"));
        using (var shown = Credentials.OfNode(FilesOf("seed2"), TimeProvider.System))
            await JoinClient.RenewAsync(Seed.Endpoint, shown, ["bank.example", "10.0.0.5"], Cancel);
        Assert.Equal(own, NamesOf("seed2"));
        using var seed = Credentials.OfNode(FilesOf("seed2"), TimeProvider.System);
        var (transport, authority) = (TlsTransport.ForPbm(seed), FilesOf("seed2").Authority);
        foreach (var name in own)
            Assert.Equal(SslPolicyErrors.None, await VisitAsync(transport, name, authority));
        Assert.Equal(SslPolicyErrors.RemoteCertificateNameMismatch, await VisitAsync(transport, "bank.example", authority));
    }

    [Fact]
    public async Task Who_has_a_seed_s_token_gets_no_name_that_it_asks_for_but_its_own_address()
    {
        var asked = new[] { "bank.example", "localhost", "10.0.0.5", "192.0.2.7", "::1" };
        Assert.Equal(["localhost", "192.0.2.7", "::1"], CertificateNames.OwnOf(System.Net.IPAddress.Parse("192.0.2.7"), asked));
        Assert.Equal(["localhost", "::1"], CertificateNames.OwnOf(null, asked));
        // As a request has it.
        await using var stream = await AnonymousClientTests.AskAsync(Seed, await TokenAsync(Role.Seed), "\"bank.example\", \"127.0.0.1\"");
        var answer = await AnonymousClientTests.ReadAsync(stream);
        using var issued = X509Certificate2.CreateFromPem(
            System.Text.Json.Nodes.JsonNode.Parse(answer)!["certificate"]!.GetValue<string>());
        Assert.Equal(["127.0.0.1"], CertificateNames.Of(issued));
    }

    [Theory]
    [InlineData("*.example")]
    [InlineData("lm example")]
    [InlineData("-lm")]
    [InlineData("")]
    [InlineData("4090")]
    [InlineData("10.5")]
    [InlineData("[::1]:4090")]
    [InlineData("fe80::1%1")]
    public async Task What_is_no_name_is_refused_and_costs_no_token(string name)
    {
        var token = await TokenAsync(Role.Seed);
        using var issuer = await Issuer.OpenAsync(SeedFiles, TimeProvider.System, Cancel);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.Contains("is no host name and no address", Assert.Throws<ElasticException>(() => issuer.IssueFor(
            token.Secret, new PublicKey(key), new Identity("seed2", Role.Seed), [name])).Message, StringComparison.Ordinal);
        Assert.Equal(1, Assert.Single(issuer.OpenTokens).Left);
    }

    [Fact]
    public async Task A_worker_s_certificate_has_no_names_and_cannot_get_any()
    {
        await JoinAsync(await TokenAsync(), "gpu1");
        using var worker = Credentials.OfNode(FilesOf("gpu1"), TimeProvider.System);
        using var certificate = X509CertificateLoader.LoadCertificate(worker.CertificateBytes.Span);
        Assert.Empty(CertificateNames.Of(certificate));
        Assert.Contains("worker gpu1 serves no browser", (await Assert.ThrowsAsync<ElasticException>(
            () => JoinClient.RenewAsync(Seed.Endpoint, worker, ["localhost"], Cancel))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_is_shown_to_browsers_and_a_renewed_one_soon_after()
    {
        var time = new ManualTime();
        var (certificate, key, said) = (Path.Combine(Folder, "lm.pem"), Path.Combine(Folder, "lm.key"), new List<string>());
        Make(Folder, "lm.example");
        var served = new ServedCertificate(certificate, key, time, said.Add);
        var transport = TlsTransport.ForPbm(Seed.Credentials, served);
        Assert.Equal(SslPolicyErrors.None, await VisitAsync(transport, "lm.example", certificate));
        Assert.Equal(SslPolicyErrors.None, await VisitAsync(served.ToTransport(), "lm.example", certificate));

        File.Delete(key);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(SslPolicyErrors.None, await VisitAsync(transport, "lm.example", certificate));
        Assert.Contains("go on being shown the certificate that was read before", Assert.Single(said), StringComparison.Ordinal);
        Make(Folder, "other.example");
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(SslPolicyErrors.None, await VisitAsync(transport, "other.example", certificate));
        Assert.Contains("cannot be read", Assert.Throws<ElasticException>(
            () => new ServedCertificate(certificate, Seed.Credentials.Files.Key, time, said.Add)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_certificate_is_looked_at_behind_links_and_what_is_wrong_with_it_later_is_said()
    {
        var (time, said, folder) = (new ManualTime(), new List<string>(), Path.Combine(Folder, "tls"));
        foreach (var name in new[] { "one", "two" })
            Make(Directory.CreateDirectory(Path.Combine(folder, name)).FullName, name);
        // As Kubernetes lays out a secret: it replaces the link of the folder, and those of the files stay as they are.
        Show("one");
        foreach (var file in new[] { "lm.pem", "lm.key" })
            File.CreateSymbolicLink(Path.Combine(folder, file), Path.Combine("data", file));
        var served = new ServedCertificate(Path.Combine(folder, "lm.pem"), Path.Combine(folder, "lm.key"), time, said.Add);
        Show("two");
        Assert.Equal("CN=two", Shown());
        Assert.Empty(said);

        var open = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead;
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Path.Combine(folder, "two", "lm.key"), open);
            Assert.Equal("CN=two", Shown());
            Assert.Contains("lm.key is open to other users (mode 0604)", said[^1], StringComparison.Ordinal);
        }

        time.Advance(TimeSpan.FromDays(2));
        Assert.Equal("CN=two", Shown());
        Assert.Contains("browsers are shown an old certificate: ", said[^1], StringComparison.Ordinal);
        Directory.Delete(Path.Combine(folder, "data"));
        Directory.CreateDirectory(Path.Combine(folder, "data", "lm.pem"));     // what is there is no file
        Assert.Equal("CN=two", Shown());
        Assert.Contains("the certificate that was read before", said[^1], StringComparison.Ordinal);
        Assert.Contains("cannot be read", Assert.Throws<ElasticException>(
            () => new ServedCertificate("", "", time, said.Add)).Message, StringComparison.Ordinal);

        void Show(string name)
        {
            var link = Path.Combine(folder, "data");
            if (Directory.Exists(link))
                Directory.Delete(link);
            Directory.CreateSymbolicLink(link, name);
        }

        string Shown()
        {
            time.Advance(TimeSpan.FromSeconds(2));
            return served.Shown.TargetCertificate.Subject;
        }
    }

    private static void Make(string folder, string name)
    {
        using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", own, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        CertificateFiles.WriteSecret(Path.Combine(folder, "lm.key"), own.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(Path.Combine(folder, "lm.pem"), made.ExportCertificatePem());
    }

    private IEnumerable<string> NamesOf(string machine)
    {
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(FilesOf(machine).Certificate));
        return [.. CertificateNames.Of(certificate).Order(StringComparer.Ordinal)];
    }

    // What a browser finds wrong with the server's certificate, where it trusts one authority.
    private async Task<SslPolicyErrors> VisitAsync(Transport server, string name, string authority)
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        var accepting = AcceptAsync();
        using var client = new TcpClient();
        await client.ConnectAsync((System.Net.IPEndPoint)listener.LocalEndpoint, Cancel);
        var found = SslPolicyErrors.RemoteCertificateNotAvailable;
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.Add(X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(authority, Cancel)));
        await using (var secure = new SslStream(client.GetStream(), false, (_, _, _, errors) => (found = errors) == SslPolicyErrors.None))
        {
            try
            {
                await secure.AuthenticateAsClientAsync(
                    new SslClientAuthenticationOptions
                    {
                        TargetHost = name,
                        CertificateChainPolicy = trust,
                        ClientCertificateContext = Seed.Credentials.Shown,
                    },
                    Cancel);
            }
            catch (System.Security.Authentication.AuthenticationException)
            {
                // The browser's person is asked whether to go on.
            }
        }

        await accepting;
        return found;

        async Task AcceptAsync()
        {
            try
            {
                var socket = await listener.AcceptSocketAsync(Cancel);
                await (await server.AcceptAsync(new NetworkStream(socket, ownsSocket: true), Cancel)).DisposeAsync();
            }
            catch (IOException)
            {
                // The browser has hung up.
            }
        }
    }
}
