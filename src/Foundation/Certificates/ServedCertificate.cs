using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// A certificate that another authority has issued, a company's for example, for a port that browsers reach. The files are looked at every
/// few seconds, so that a renewed one is shown from the next connection on. Any thread uses it.
/// </summary>
public sealed class ServedCertificate
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);

    private readonly string _certificate, _key;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly Lock _gate = new();
    private SslStreamCertificateContext _shown;
    private string _stamp;
    private string? _said;
    private long _looked;

    /// <param name="certificate">PEM: the certificate, and after it those of authorities between it and what browsers trust.</param>
    /// <param name="key">PEM, not encrypted.</param>
    /// <param name="say">Receives what cannot be read later.</param>
    /// <exception cref="ElasticException">A file is missing or unreadable, or the certificate has expired.</exception>
    public ServedCertificate(string certificate, string key, TimeProvider time, Action<string> say)
    {
        ArgumentNullException.ThrowIfNull(time);
        (_certificate, _key, _time, _say) = (certificate, key, time, say);
        (_looked, _stamp, _shown) = (time.GetTimestamp(), Stamp(), Read());
    }

    /// <summary>What is shown in a handshake that begins now.</summary>
    internal SslStreamCertificateContext Shown
    {
        get
        {
            lock (_gate)
            {
                if (_time.GetElapsedTime(_looked) >= Look)
                    LookAgain();
                return _shown;
            }
        }
    }

    /// <summary>For a port that asks no client for a certificate.</summary>
    public Transport ToTransport() => new()
    {
        AsServerAsync = AcceptAsync,
        IsEncrypted = true,
        IsNamed = name => CertificateNames.Holds(Shown.TargetCertificate, name),
    };

    private async ValueTask<Stream> AcceptAsync(Stream stream, CancellationToken cancel)
    {
        var secure = new SslStream(stream);
        try
        {
            await secure.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions { ServerCertificateContext = Shown, EnabledSslProtocols = SslProtocols.Tls13 }, cancel);
            return secure;
        }
        catch (Exception e)
        {
            await secure.DisposeAsync();
            throw e is AuthenticationException ? new IOException(e.Message, e) : e;
        }
    }

    // While the files are being replaced, or where they cannot be read, the one that was read before is shown.
    private void LookAgain()
    {
        _looked = _time.GetTimestamp();
        if (Stamp() is var stamp && stamp == _stamp)
            return;
        string? problem = null;
        try
        {
            (_shown, _stamp) = (Read(), stamp);
        }
        catch (ElasticException e)
        {
            problem = $"browsers go on being shown the certificate that was read before: {e.Message}";
        }

        if (problem is not null && problem != _said)
            _say(problem);
        _said = problem;
    }

    private SslStreamCertificateContext Read()
    {
        try
        {
            using var read = X509Certificate2.CreateFromPemFile(_certificate, _key);
            // Windows' TLS cannot use a key that is in memory only.
            var own = OperatingSystem.IsWindows()
                ? X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pkcs12), null)
                : X509Certificate2.CreateFromPemFile(_certificate, _key);
            if (CertificateAuthority.EndOf(own) is var ends && ends <= _time.GetUtcNow())
                throw new ElasticException($"the certificate in {_certificate} expired on {Expiry.Text(ends)}: renew it");
            var all = new X509Certificate2Collection();
            all.ImportFromPemFile(_certificate);
            all.RemoveAt(0);                                           // its own
            return SslStreamCertificateContext.Create(own, all, offline: true);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ElasticException(
                $"the certificate in {_certificate} cannot be read ({e.Message}): node.dashboard-certificate and node.dashboard-key name "
                + $"files in PEM, and {_key} holds the key of the certificate, not encrypted", e);
        }
    }

    private string Stamp() => $"{File.GetLastWriteTimeUtc(_certificate).Ticks} {File.GetLastWriteTimeUtc(_key).Ticks}";
}
