using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// Mutual TLS 1.3: each side shows a certificate of the cluster's authority, and each looks at the other's role. Host names are not
/// compared, since certificates name nodes and not machines.
/// </summary>
public sealed class TlsTransport
{
    // Sessions are not resumed: each handshake looks at a certificate anew.
    private const SslProtocols Version = SslProtocols.Tls13;
    private const string ServerName = "elastic";

    private readonly Credentials _credentials;
    private readonly Func<Identity, bool> _accepts, _expects;

    private TlsTransport(Credentials credentials, Func<Identity, bool> accepts, Func<Identity, bool> expects) =>
        (_credentials, _accepts, _expects) = (credentials, accepts, expects);

    /// <summary>Between nodes: the control plane, the data plane, the liveness connection.</summary>
    public static Transport BetweenNodes(Credentials credentials) =>
        new TlsTransport(credentials, i => i.IsNode, i => i.IsNode).ToTransport();

    /// <summary>Between pbm and a seed.</summary>
    public static Transport ForPbm(Credentials credentials) =>
        new TlsTransport(credentials, i => i.Role is Role.Admin or Role.Reader or Role.Seed, i => i.Role == Role.Seed).ToTransport();

    /// <summary>Who is at the other end of a connection; null where the connection is not encrypted.</summary>
    public static Identity? PeerOf(Stream stream) => (stream as PeerStream)?.Peer;

    private Transport ToTransport() => new()
    {
        AsClient = Connect,
        AsClientAsync = ConnectAsync,
        AsServerAsync = AcceptAsync,
        Credentials = _credentials,
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
            await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
            {
                ServerCertificateContext = _credentials.Shown,
                ClientCertificateRequired = true,
                EnabledSslProtocols = Version,
                AllowTlsResume = false,
                AllowRenegotiation = false,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            }, cancel);
            return shown.Keep(secure);
        }
        catch (Exception e)
        {
            await secure.DisposeAsync();
            if (e is not AuthenticationException)
                throw;
            var why = shown.Problem ?? "no certificate of this cluster";
            _credentials.Say($"refused a connection that showed {why}");
            throw new IOException($"the client has shown {why}", e);
        }
    }

    private SslClientAuthenticationOptions Options() => new()
    {
        TargetHost = ServerName,
        ClientCertificateContext = _credentials.Shown,
        EnabledSslProtocols = Version,
        AllowTlsResume = false,
        AllowRenegotiation = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
    };

    /// <summary>What the other side of one handshake has shown.</summary>
    private sealed class Shown(TlsTransport transport, Func<Identity, bool> wanted)
    {
        private Identity? _peer;
        private X509Certificate2? _certificate;

        public string? Problem { get; private set; }

        public bool Validate(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
        {
            if (certificate is not X509Certificate2 shown)
                Problem = "no certificate";
            else if ((Problem = transport._credentials.Problem(shown, out var peer)) is null)
            {
                if (!wanted(peer!))
                    Problem = $"the certificate of {peer}, which is not for this port";
                // The stream disposes of its own.
                (_peer, _certificate) = (peer, X509CertificateLoader.LoadCertificate(shown.RawDataMemory.Span));
            }

            return Problem is null;
        }

        public PeerStream Keep(PeerStream stream)
        {
            stream.Peer = _peer;
            transport._credentials.Open.Add(stream, _certificate!);
            return stream;
        }

        public IOException Failure(Exception e, Endpoint endpoint) => new(
            Problem is not null
                ? $"{endpoint} has shown {Problem}"
                : $"no encrypted connection with {endpoint} ({e.Message}): it speaks no TLS, or does not take this process's certificate",
            e);
    }
}
