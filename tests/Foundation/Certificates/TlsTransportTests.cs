using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Elastic.Foundation.Certificates;
using Elastic.Testing;

namespace Elastic.Foundation.Tests.Certificates;

/// <summary>Who gets through the handshake, and who is refused with which words.</summary>
public sealed class TlsTransportTests : TemporaryFolder
{
    private static CancellationToken Deadline => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    private readonly TestAuthority _authority;

    public TlsTransportTests() => _authority = new TestAuthority(Path.Combine(Folder, "cluster"));

    [Fact]
    public async Task Two_nodes_of_one_cluster_speak_and_each_knows_the_other()
    {
        using var seed = Node("s1", Role.Seed);
        using var worker = Node("w1", Role.Worker);
        await using var both = await MeetAsync(TlsTransport.BetweenNodes(seed), TlsTransport.BetweenNodes(worker));
        Assert.Equal(new Identity("w1", Role.Worker), TlsTransport.PeerOf(both.Server));
        Assert.Equal(new Identity("s1", Role.Seed), TlsTransport.PeerOf(both.Client));
        Assert.Equal(System.Security.Authentication.SslProtocols.Tls13, ((SslStream)both.Server).SslProtocol);
        await both.Client.WriteAsync(new byte[] { 42 }, Deadline);
        var got = new byte[1];
        await both.Server.ReadExactlyAsync(got, Deadline);
        Assert.Equal(42, got[0]);
    }

    [Fact]
    public async Task A_thread_that_must_not_wait_for_the_pool_connects_too()
    {
        using var seed = Node("s1", Role.Seed);
        using var worker = Node("w1", Role.Worker);
        using var listener = Listen();
        var accepting = AcceptAsync(listener, TlsTransport.BetweenNodes(seed));
        using var connection = await Task.Run(
            () => TlsTransport.BetweenNodes(worker).Connect(EndpointOf(listener), TimeSpan.FromSeconds(10)), Deadline);
        await using var accepted = await accepting;
        Assert.Equal("w1", TlsTransport.PeerOf(accepted)!.Name);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_is_refused_by_either_side()
    {
        using var stranger = new TestAuthority(Path.Combine(Folder, "others"));
        using var seed = Node("s1", Role.Seed);
        using var foreign = Credentials.OfNode(stranger.Issue("s1", Role.Seed), TimeProvider.System);
        await AssertClientRefusesAsync(foreign, seed, "has shown a certificate that this cluster's authority has not issued");
        // A client that trusts anybody is refused by the server.
        await AssertServerRefusesAsync(seed, Careless(foreign), "a certificate that this cluster's authority has not issued");
    }

    [Fact]
    public async Task Who_shows_no_certificate_or_speaks_no_TLS_is_refused()
    {
        using var seed = Node("s1", Role.Seed);
        await AssertServerRefusesAsync(seed, Careless(null), "no certificate");
        await AssertServerRefusesAsync(seed, async stream =>
        {
            await stream.WriteAsync("GET /blobs HTTP/1.1\r\n\r\n"u8.ToArray(), Deadline);
            Assert.Equal(0, await ReadAsync(stream));
        }, "no certificate of this cluster");
        using var worker = Node("w1", Role.Worker);
        using var listener = Listen();
        var plain = AcceptAsync(listener, Transport.Plain);
        var connecting = Assert.ThrowsAsync<TlsException>(
            async () => await TlsTransport.BetweenNodes(worker).ConnectAsync(EndpointOf(listener), Deadline));
        await using (var accepted = await plain)
            await accepted.WriteAsync("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray(), Deadline);
        Assert.Contains("speaks no TLS, or does not take this process's certificate", (await connecting).Message, StringComparison.Ordinal);
        Assert.Equal(TlsFailure.NoTls, (await connecting).Failure);
    }

    [Fact]
    public async Task An_expired_certificate_is_refused_and_named_with_the_remedy()
    {
        using var seed = Node("s1", Role.Seed);
        var files = _authority.Issue("w1", Role.Worker, DateTimeOffset.UtcNow.AddDays(-3), TimeSpan.FromDays(1));
        var why = Assert.Throws<ElasticException>(() => Credentials.OfNode(files, TimeProvider.System)).Message;
        Assert.Contains("is the certificate of worker w1, which expired on ", why, StringComparison.Ordinal);
        Assert.Contains("a join token (elastic certs token) gets another one", why, StringComparison.Ordinal);
        // A clock that is behind lets the holder start; the others' clocks decide.
        using var late = Credentials.OfNode(files, new FixedTime(DateTimeOffset.UtcNow.AddDays(-2.5)));
        await AssertServerRefusesAsync(seed, Careless(late), "which expired on ");
    }

    [Fact]
    public async Task A_certificate_for_another_role_is_refused()
    {
        using var seed = Node("s1", Role.Seed);
        using var worker = Node("w1", Role.Worker);
        using var admin = Node("ann", Role.Admin);
        await AssertServerRefusesAsync(seed, Careless(admin), "the certificate of admin ann, which is not for this port");
        await AssertServerRefusesAsync(
            seed, Careless(worker), "the certificate of worker w1, which is not for this port", c => TlsTransport.ForPbm(c));
        // A worker that listens where pbm looks for a seed.
        using var listener = Listen();
        var accepting = AcceptAsync(listener, TlsTransport.BetweenNodes(worker));
        var why = await Assert.ThrowsAsync<TlsException>(
            async () => await TlsTransport.ForPbm(admin).ConnectAsync(EndpointOf(listener), Deadline));
        Assert.Contains("has shown the certificate of worker w1, which is not for this port", why.Message, StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<IOException>(() => accepting);
    }

    [Fact]
    public async Task A_revoked_certificate_is_refused_and_the_connections_of_its_holder_are_closed()
    {
        using var seed = Node("s1", Role.Seed);
        var files = _authority.Issue("w1", Role.Worker);
        using var worker = Credentials.OfNode(files, TimeProvider.System);
        await using var both = await MeetAsync(TlsTransport.BetweenNodes(seed), TlsTransport.BetweenNodes(worker));
        var waiting = ReadAsync(both.Client);

        seed.Take(_authority.Revoke(files));
        Assert.Equal(0, await waiting);
        await AssertServerRefusesAsync(seed, Careless(worker), "the certificate of worker w1, which was revoked");
        // The holder's own process learns it, too, and the list is there after a restart.
        Assert.Contains("was revoked", Assert.Throws<ElasticException>(() =>
        {
            File.Copy(new CertificateFiles(Path.Combine(Folder, "cluster", "s1")).Revocations, files.Revocations);
            Credentials.OfNode(files, TimeProvider.System).Dispose();
        }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_of_revoked_certificates_counts_only_if_the_authority_signed_it_and_only_if_it_is_newer()
    {
        using var seed = Node("s1", Role.Seed);
        using var stranger = new TestAuthority(Path.Combine(Folder, "others"));
        var foreign = stranger.Revoke(_authority.Issue("w1", Role.Worker));
        Assert.Contains("not signed by this cluster's authority",
            Assert.Throws<ElasticException>(() => seed.Take(foreign)).Message, StringComparison.Ordinal);
        var first = _authority.Revoke(_authority.Issue("w2", Role.Worker));
        var second = _authority.Revoke(_authority.Issue("w3", Role.Worker));
        seed.Take(second);
        seed.Take(first);
        Assert.Equal((2, 2), (seed.Revocations.Number, seed.Revocations.Revoked.Count));
        Assert.Equal(second, seed.SignedRevocations);
        Assert.All(
            ["", "{}", "[]", "null", "{\"list\":3,\"signature\":\"\"}", second.Replace("w3", "w4", StringComparison.Ordinal)],
            broken => Assert.Throws<ElasticException>(() => seed.Take(broken)));
    }

    [Fact]
    public async Task A_renewed_certificate_is_shown_from_the_next_connection_on()
    {
        using var seed = Node("s1", Role.Seed);
        var files = _authority.Issue("w1", Role.Worker, validity: TimeSpan.FromDays(1));
        using var worker = Credentials.OfNode(files, TimeProvider.System);
        var before = worker.Expires;
        _authority.Issue("w1", Role.Worker);
        while (worker.Expires == before)
            await Task.Delay(50, Deadline);
        await using var both = await MeetAsync(TlsTransport.BetweenNodes(seed), TlsTransport.BetweenNodes(worker));
        Assert.True(((SslStream)both.Server).RemoteCertificate is System.Security.Cryptography.X509Certificates.X509Certificate2 shown
            && CertificateAuthority.EndOf(shown) == worker.Expires);
    }

    [Fact]
    public async Task A_key_that_is_another_certificate_s_is_said_and_the_process_goes_on_with_the_pair_that_it_had()
    {
        using var seed = Node("s1", Role.Seed);
        var files = _authority.Issue("w1", Role.Worker);
        using var worker = Credentials.OfNode(files, TimeProvider.System);
        var said = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        worker.Say = text => said.TrySetResult(text);
        File.Copy(_authority.Issue("w2", Role.Worker).Key, files.Key, overwrite: true);
        Assert.Contains($"that {files.Key} belongs to {files.Certificate}", await said.Task.WaitAsync(Deadline), StringComparison.Ordinal);
        await using var both = await MeetAsync(TlsTransport.BetweenNodes(seed), TlsTransport.BetweenNodes(worker));
        Assert.Equal("w1", TlsTransport.PeerOf(both.Server)!.Name);
        Assert.Throws<ElasticException>(() => Credentials.OfNode(files, TimeProvider.System));
    }

    [Fact]
    public async Task A_key_or_a_join_token_that_others_can_read_is_used_and_said_with_the_remedy()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes");
        var files = _authority.Issue("w1", Role.Worker);
        Open(files.Key);
        using var worker = Credentials.OfNode(files, TimeProvider.System);
        var said = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        worker.Say = text => said.TrySetResult(text);
        Assert.Equal(
            $"{files.Key} is open to other users (mode 0640), who can speak in the name of worker w1: chmod 600 {files.Key}",
            await said.Task.WaitAsync(Deadline));

        var (file, lines) = (Path.Combine(files.Folder, "token"), new List<string>());
        var token = new JoinToken(Role.Worker, new string('a', 40), Digest.Of("pin"u8));
        CertificateFiles.WriteSecret(file, token.ToText());
        Assert.Equal(token, JoinToken.Read(file, TextReader.Null, lines.Add));
        Assert.Equal(token, JoinToken.Read("-", new StringReader(token.ToText()), lines.Add));
        Assert.Empty(lines);
        Open(file);
        Assert.Equal(token, JoinToken.Read(file, TextReader.Null, lines.Add));
        Assert.Equal(
            $"{file} is open to other users (mode 0640), who can get a certificate with the join token in it as long as it counts: "
            + $"close it with chmod 600 {file}", Assert.Single(lines));

        static void Open(string path)
        {
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        }
    }

    [Fact]
    public async Task A_client_that_sends_nothing_is_let_go()
    {
        using var seed = Node("s1", Role.Seed);
        using var listener = Listen();
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, EndpointOf(listener).Port, Deadline);
        using var socket = await listener.AcceptSocketAsync(Deadline);
        await using var stream = new NetworkStream(socket);
        var why = await Assert.ThrowsAsync<IOException>(() => TlsTransport.BetweenNodes(seed).AcceptAsync(stream, Deadline));
        Assert.Contains("no handshake within", why.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_are_readable_by_their_owner_only()
    {
        var files = _authority.Issue("w1", Role.Worker);
        if (OperatingSystem.IsWindows())
            return;
        foreach (var key in new[] { files.Key, new CertificateFiles(Path.Combine(Folder, "cluster")).AuthorityKey })
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
    }

    private Credentials Node(string name, Role role) => Credentials.OfNode(_authority.Issue(name, role), TimeProvider.System);

    private static TcpListener Listen()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return listener;
    }

    private static Endpoint EndpointOf(TcpListener listener) => new("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);

    private static async Task<Stream> AcceptAsync(TcpListener listener, Transport transport) =>
        await transport.AcceptAsync(new NetworkStream(await listener.AcceptSocketAsync(Deadline), ownsSocket: true), Deadline);

    private static async Task<Pair> MeetAsync(Transport server, Transport client)
    {
        using var listener = Listen();
        var accepting = AcceptAsync(listener, server);
        var connection = await client.ConnectAsync(EndpointOf(listener), Deadline);
        return new Pair(await accepting, connection.Stream);
    }

    // A client that takes any server, and shows what it has.
    private static Func<Stream, Task> Careless(Credentials? credentials) => async plain =>
    {
#pragma warning disable CA5359 // an attacker's client
        await using var secure = new SslStream(plain, false, (_, _, _, _) => true);
#pragma warning restore CA5359
        try
        {
            await secure.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions { TargetHost = "elastic", ClientCertificateContext = credentials?.Shown }, Deadline);
            Assert.Equal(0, await ReadAsync(secure));
        }
        catch (IOException)
        {
            // Refused within the handshake.
        }
    };

    private static async Task AssertServerRefusesAsync(
        Credentials server, Func<Stream, Task> client, string because, Func<Credentials, Transport>? transport = null)
    {
        var said = "";
        server.Say = text => said = text;
        using var listener = Listen();
        var accepting = AcceptAsync(listener, transport?.Invoke(server) ?? TlsTransport.BetweenNodes(server));
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(IPAddress.Loopback, EndpointOf(listener).Port, Deadline);
        var speaking = client(tcp.GetStream());
        var why = await Assert.ThrowsAsync<IOException>(() => accepting);
        await speaking;
        Assert.Contains(because, why.Message, StringComparison.Ordinal);
        Assert.Contains(because, said, StringComparison.Ordinal);
    }

    private static async Task AssertClientRefusesAsync(Credentials server, Credentials client, string because)
    {
        using var listener = Listen();
        var accepting = AcceptAsync(listener, TlsTransport.BetweenNodes(server));
        var why = await Assert.ThrowsAsync<TlsException>(
            async () => await TlsTransport.BetweenNodes(client).ConnectAsync(EndpointOf(listener), Deadline));
        Assert.Contains(because, why.Message, StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<IOException>(() => accepting);
    }

    // 0 also for a connection that broke.
    private static async Task<int> ReadAsync(Stream stream)
    {
        try
        {
            return await stream.ReadAsync(new byte[1], Deadline);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private sealed record Pair(Stream Server, Stream Client) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Client.DisposeAsync();
            await Server.DisposeAsync();
        }
    }

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
