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
    public async Task A_seed_that_joined_is_reached_under_its_machine_s_names_and_those_that_a_person_adds()
    {
        await JoinAsync(await TokenAsync(Role.Seed), "seed2");
        var files = FilesOf("seed2");
        using (var own = Credentials.OfNode(files, TimeProvider.System))
            await JoinClient.RenewAsync(Seed.Endpoint, own, ["LM.example", "10.0.0.5"], Cancel);
        using var seed = Credentials.OfNode(files, TimeProvider.System);
        var transport = TlsTransport.ForPbm(seed);
        foreach (var name in new[] { "localhost", "127.0.0.1", "::1", "lm.example", "10.0.0.5" })
            Assert.Equal(SslPolicyErrors.None, await VisitAsync(transport, name, files.Authority));
        Assert.Equal(SslPolicyErrors.RemoteCertificateNameMismatch, await VisitAsync(transport, "other.example", files.Authority));
    }

    [Theory]
    [InlineData("*.example")]
    [InlineData("lm example")]
    [InlineData("-lm")]
    [InlineData("")]
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
            () => JoinClient.RenewAsync(Seed.Endpoint, worker, ["bank.example"], Cancel))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_is_shown_to_browsers_and_a_renewed_one_soon_after()
    {
        var time = new ManualTime();
        var (certificate, key, said) = (Path.Combine(Folder, "lm.pem"), Path.Combine(Folder, "lm.key"), new List<string>());
        Make("lm.example");
        var served = new ServedCertificate(certificate, key, time, said.Add);
        var transport = TlsTransport.ForPbm(Seed.Credentials, served);
        Assert.Equal(SslPolicyErrors.None, await VisitAsync(transport, "lm.example", certificate));
        Assert.Equal(SslPolicyErrors.None, await VisitAsync(served.ToTransport(), "lm.example", certificate));

        File.Delete(key);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(SslPolicyErrors.None, await VisitAsync(transport, "lm.example", certificate));
        Assert.Contains("go on being shown the certificate that was read before", Assert.Single(said), StringComparison.Ordinal);
        Make("other.example");
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(SslPolicyErrors.None, await VisitAsync(transport, "other.example", certificate));
        Assert.Contains("cannot be read", Assert.Throws<ElasticException>(
            () => new ServedCertificate(certificate, Seed.Credentials.Files.Key, time, said.Add)).Message, StringComparison.Ordinal);

        void Make(string name)
        {
            using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest($"CN={name}", own, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(name);
            request.CertificateExtensions.Add(names.Build());
            using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            File.WriteAllText(key, own.ExportPkcs8PrivateKeyPem());
            File.WriteAllText(certificate, made.ExportCertificatePem());
        }
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
