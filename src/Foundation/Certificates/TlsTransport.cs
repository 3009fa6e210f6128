using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// Mutual TLS 1.3: each side shows a certificate of the cluster's authority, and each looks at the other's role. Host names are not
/// compared, since certificates name nodes and not machines: the names in those of seeds are for browsers.
/// </summary>
public sealed class TlsTransport
{
    // Sessions are not resumed: each handshake looks at a certificate anew.
    private const SslProtocols Version = SslProtocols.Tls13;
    private const string ServerName = "elastic";

    /// <summary>The server name of a client that has no certificate yet, and wants one.</summary>
    internal const string JoinName = "join.elastic";

    /// <summary>The server name of a client that wants its certificate renewed.</summary>
    internal const string RenewalName = "renew.elastic";

    private readonly Credentials _credentials;
    private readonly Func<Identity, bool> _accepts, _expects;

    private TlsTransport(Credentials credentials, Func<Identity, bool> accepts, Func<Identity, bool> expects) =>
        (_credentials, _accepts, _expects) = (credentials, accepts, expects);

    // Serves clients that want a certificate; null where none is given out.
    private Func<Stream, CancellationToken, Task>? Join { get; init; }

    private string Name { get; init; } = ServerName;

    private ServedCertificate? Served { get; init; }

    /// <summary>The transport between nodes: of the control plane, the data plane, the liveness connection.</summary>
    /// <param name="join">
    /// Serves clients that want a certificate (<see cref="JoinServer.For"/>): the only code that ever sees the stream of a client without
    /// one. Null: such a client gets no further than the handshake.
    /// </param>
    public static Transport BetweenNodes(Credentials credentials, Func<Stream, CancellationToken, Task>? join = null) =>
        new TlsTransport(credentials, i => i.IsNode, i => i.IsNode) { Join = join }.ToTransport();

    /// <summary>The transport between pbm, or a browser, and a seed.</summary>
    /// <param name="served">What the server shows in place of its certificate of this cluster; clients show theirs all the same.</param>
    public static Transport ForPbm(Credentials credentials, ServedCertificate? served = null) =>
        new TlsTransport(credentials, i => i.Role is Role.Admin or Role.Reader or Role.Seed, i => i.Role == Role.Seed)
        {
            Served = served,
        }.ToTransport();

    /// <summary>The transport to a seed for the renewal of a certificate.</summary>
    internal static Transport ForRenewal(Credentials credentials) =>
        new TlsTransport(credentials, _ => false, i => i.Role == Role.Seed) { Name = RenewalName }.ToTransport();

    /// <summary>Who is at the other end of a connection; null where the connection is not encrypted.</summary>
    public static Identity? PeerOf(Stream stream) => (stream as PeerStream)?.Peer;

    private Transport ToTransport() => new()
    {
        AsClient = Connect,
        AsClientAsync = ConnectAsync,
        AsServerAsync = AcceptAsync,
        Credentials = _credentials,
        IsEncrypted = true,
        IsNamed = name => CertificateNames.Holds((Served?.Shown ?? _credentials.Shown).TargetCertificate, name),
    };

    private PeerStream Connect(Stream stream, Endpoint endpoint)
    {
        var shown = new Shown(this, _expects);
        var secure = new PeerStream(stream, shown.Validate);
        try
        {
            secure.AuthenticateAsClient(Options());
            return shown.Keep(secure);
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            secure.Dispose();
            throw shown.Failure(e, endpoint);
        }
    }

    private async ValueTask<Stream> ConnectAsync(Stream stream, Endpoint endpoint, CancellationToken cancel)
    {
        var shown = new Shown(this, _expects);
        var secure = new PeerStream(stream, shown.Validate);
        try
        {
            await secure.AuthenticateAsClientAsync(Options(), cancel);
            return shown.Keep(secure);
        }
        catch (Exception e)
        {
            await secure.DisposeAsync();
            throw e is AuthenticationException or IOException ? shown.Failure(e, endpoint) : e;
        }
    }

    private async ValueTask<Stream> AcceptAsync(Stream stream, CancellationToken cancel)
    {
        var shown = new Shown(this, _accepts);
        var secure = new PeerStream(stream, shown.Validate);
        try
        {
            await secure.AuthenticateAsServerAsync((_, hello, _, _) => ValueTask.FromResult(ServerOptions(hello, shown)), null, cancel);
            if (shown.ServerName is null)
                return shown.Keep(secure);
            secure.Peer = shown.Peer;
            await Join!(secure, cancel);
        }
        catch (Exception e)
        {
            var from = secure.Address;
            await secure.DisposeAsync();
            if (e is not AuthenticationException)
                throw;
            var why = shown.Problem ?? "no certificate of this cluster";
            _credentials.SayRefusal($"refused a connection that showed {why} (from {from})");
            throw new IOException($"the client has shown {why}", e);
        }

        await secure.DisposeAsync();
        throw new IOException("the connection was a request for a certificate, which is answered");
    }

    // A client that names no such server, and every client where nobody serves them, must show a certificate that is for this port.
    private SslServerAuthenticationOptions ServerOptions(SslClientHelloInfo hello, Shown shown)
    {
        if (Join is not null && hello.ServerName is JoinName or RenewalName)
            shown.ServerName = hello.ServerName;
        return new SslServerAuthenticationOptions
        {
            ServerCertificateContext = Served?.Shown ?? _credentials.Shown,
            ClientCertificateRequired = shown.ServerName != JoinName,
            EnabledSslProtocols = Version,
            AllowTlsResume = false,
            AllowRenegotiation = false,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        };
    }

    private SslClientAuthenticationOptions Options() => new()
    {
        TargetHost = Name,
        ClientCertificateContext = _credentials.Shown,
        EnabledSslProtocols = Version,
        AllowTlsResume = false,
        AllowRenegotiation = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
    };

    /// <summary>What the other side of one handshake has shown.</summary>
    private sealed class Shown(TlsTransport transport, Func<Identity, bool> wanted)
    {
        private X509Certificate2? _certificate;

        public string? Problem { get; private set; }

        public Identity? Peer { get; private set; }

        /// <summary>The server that a client asks for that wants a certificate; null for all others.</summary>
        public string? ServerName { get; set; }

        public bool Validate(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
        {
            if (ServerName == JoinName)
                return true;                                          // what it shows is not looked at: it gets to the handler only
            if (certificate is not X509Certificate2 shown)
                Problem = "no certificate";
            else if ((Problem = transport._credentials.Problem(shown, out var peer)) is null)
            {
                // Whoever has a certificate may have it renewed.
                if (ServerName is null && !wanted(peer!))
                    Problem = $"the certificate of {peer}, which is not for this port";
                // The stream disposes of its own.
                (Peer, _certificate) = (peer, X509CertificateLoader.LoadCertificate(shown.RawDataMemory.Span));
            }

            return Problem is null;
        }

        public PeerStream Keep(PeerStream stream)
        {
            stream.Peer = Peer;
            transport._credentials.Open.Add(stream, _certificate!);
            return stream;
        }

        public TlsException Failure(Exception e, Endpoint endpoint) => new(
            Problem is not null
                ? $"{endpoint} has shown {Problem}"
                : $"no encrypted connection with {endpoint} ({e.Message}): it speaks no TLS, or does not take this process's certificate",
            Problem == Credentials.NotIssued ? TlsFailure.Foreign : Problem is null ? TlsFailure.NoTls : TlsFailure.CountsNotHere,
            e);
    }
}
