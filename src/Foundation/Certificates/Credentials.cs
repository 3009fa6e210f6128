using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// What a process shows to others and what it asks of them: its own certificate, the authority's, and the revoked ones. It looks at the
/// files every few seconds: a renewed certificate is shown from the next connection on, and connections to holders of certificates
/// that were revoked, or have expired, are closed.
/// </summary>
/// <remarks>Any thread uses it: the state is replaced whole.</remarks>
public sealed class Credentials : IDisposable
{
    internal const string NotIssued = "a certificate that this cluster's authority has not issued";

    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan WarnsEvery = TimeSpan.FromDays(1);

    private readonly CertificateFiles _files;
    private readonly TimeProvider _time;
    private readonly string _certificate, _key;
    private readonly ITimer _timer;

    // Streams that are open, each with its peer's certificate.
    private readonly OpenStreams _open = new();
    private readonly RefusalLog _refusals;
    private volatile State _state;

    // Held while files are looked at or written; of what follows, too.
    private readonly Lock _gate = new();
    private DateTimeOffset? _warned;
    private string? _said;

    private Credentials(CertificateFiles files, string certificate, string key, TimeProvider time)
    {
        (_files, _certificate, _key, _time, _refusals) = (files, certificate, key, time, new RefusalLog(time));
        _state = Read();
        if (OwnProblem is { } problem)
            throw new ElasticException($"{_certificate} is {problem}");
        _timer = time.CreateTimer(_ =>
        {
            lock (_gate)
                LookAgain();
        }, null, Look, Look);
    }

    /// <summary>Who this process is.</summary>
    public Identity Self => _state.Self;

    /// <summary>Why this process's own certificate counts no more, as far as it knows, and what to do; null where it counts.</summary>
    public string? OwnProblem => Problem(_state, _state.Own, _state.Self, Now, _files);

    /// <summary>Which key in the folder others can read, and what to do; null for none.</summary>
    public string? OpenKey => CertificateFiles.OpennessOf(_key, $"speak in the name of {_state.Self}")
        ?? CertificateFiles.OpennessOf(_files.AuthorityKey, "make any certificate");

    /// <summary>The time at which this process's certificate expires.</summary>
    public DateTimeOffset Expires => CertificateAuthority.EndOf(_state.Own);

    /// <summary>The list of revoked certificates as the authority signed it; null where nothing was revoked.</summary>
    public string? SignedRevocations => _state.Signed;

    /// <summary>The newest list.</summary>
    public Revocations Revocations => _state.Revocations;

    /// <summary>Receives who was refused and why, and what cannot be read. Called on any thread.</summary>
    public Action<string> Say { get; set; } = _ => { };

    /// <summary>Says who was refused, as long as that is not too often.</summary>
    internal void SayRefusal(string refusal)
    {
        if (_refusals.Of(refusal) is { } text)
            Say(text);
    }

    /// <summary>The files that these are read from.</summary>
    public CertificateFiles Files => _files;

    /// <summary>The authority that this process trusts.</summary>
    internal X509Certificate2 Authority => _state.Authority;

    internal SslStreamCertificateContext Shown => _state.Shown;

    /// <summary>The clock that certificates are compared with.</summary>
    public DateTimeOffset Now => _time.GetUtcNow();

    internal TimeProvider Time => _time;

    internal OpenStreams Open => _open;

    /// <summary>The credentials of a node.</summary>
    /// <exception cref="ElasticException">A file is missing, unreadable, another cluster's, or expired; says what to do.</exception>
    public static Credentials OfNode(CertificateFiles files, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(files);
        return new Credentials(files, files.Certificate, files.Key, time);
    }

    /// <summary>The credentials of a person who uses pbm.</summary>
    /// <inheritdoc cref="OfNode"/>
    public static Credentials OfPerson(CertificateFiles files, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(files);
        return File.Exists(files.Admin) ? new Credentials(files, files.Admin, files.AdminKey, time) : OfNode(files, time);
    }

    /// <summary>Looks at a certificate that somebody has shown.</summary>
    /// <param name="identity">Whose it is, where the authority has issued it, even if it counts no more.</param>
    /// <returns>Null where it counts; else why not.</returns>
    public string? Problem(X509Certificate2 shown, out Identity? identity)
    {
        ArgumentNullException.ThrowIfNull(shown);
        return Problem(_state, shown, Now, out identity);
    }

    /// <summary>
    /// Keeps a list of revoked certificates that came from another process, if the authority signed it and it is newer than the one that
    /// is here.
    /// </summary>
    /// <exception cref="ElasticException">It is no such list.</exception>
    public void Take(string signedRevocations)
    {
        var list = Revocations.Read(signedRevocations, _state.Authority);
        lock (_gate)
        {
            // A list that is in the file may be newer than the one that was read last: elastic certs revoke writes it.
            var inFile = File.Exists(_files.Revocations)
                ? Revocations.Read(File.ReadAllText(_files.Revocations), _state.Authority) : Revocations.None;
            if (list.Number <= Math.Max(_state.Revocations.Number, inFile.Number))
                return;
            CertificateFiles.WritePublic(_files.Revocations, signedRevocations);
            LookAgain();
        }
    }

    /// <summary>A signature by this process's key.</summary>
    public byte[] Sign(ReadOnlySpan<byte> bytes) => _state.OwnKey.SignData(bytes, HashAlgorithmName.SHA256);

    /// <summary>This process's certificate, as others need it to check a signature.</summary>
    public ReadOnlyMemory<byte> CertificateBytes => _state.Own.RawDataMemory;

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        _open.CloseAll();
    }

    private static string? Problem(State state, X509Certificate2 shown, DateTimeOffset now, out Identity? identity)
    {
        if (!IsIssued(state.Authority, shown, out identity))
            return NotIssued;
        return Problem(state, shown, identity!, now, null);
    }

    /// <summary>True where the authority has issued the certificate, even if it counts no more.</summary>
    internal static bool IsIssued(X509Certificate2 authority, X509Certificate2 shown, out Identity? identity)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        // The dates are looked at elsewhere, with words that help.
        chain.ChainPolicy.VerificationFlags = X509VerificationFlags.IgnoreNotTimeValid;
        identity = chain.Build(shown) && chain.ChainElements.Count == 2 ? CertificateAuthority.IdentityOf(shown) : null;
        return identity is not null;
    }

    // Of a certificate that the authority has issued; "own" is the folder of this process's.
    private static string? Problem(State state, X509Certificate2 shown, Identity holder, DateTimeOffset now, CertificateFiles? own)
    {
        if (state.Revocations.Revoked.ContainsKey(shown.SerialNumber))
            return $"the certificate of {holder}, which was revoked{(own is null ? "" : $": {Expiry.AfterRevocation(own, holder)}")}";
        var (begins, ends) = (new DateTimeOffset(shown.NotBefore).ToUniversalTime(), CertificateAuthority.EndOf(shown));
        if (now > ends)
            return $"the certificate of {holder}, which expired on {Expiry.Text(ends)}: {Expiry.Anew(own)}";
        return now < begins
            ? $"the certificate of {holder}, which is valid from {Expiry.Text(begins)} on: see the clocks of both machines"
            : null;
    }

    private State Read()
    {
        foreach (var path in new[] { _files.Authority, _certificate, _key })
            if (!File.Exists(path))
                throw new ElasticException(
                    $"{path} is missing: elastic certs init makes the certificates of a new cluster, and a join token "
                    + "(elastic certs token) gets a machine its own");
        try
        {
            // Before the files: what is replaced while they are read is read again at the next look.
            var stamp = Stamp();
            using var read = X509Certificate2.CreateFromPemFile(_certificate, _key);
            // Windows' TLS cannot use a key that is in memory only.
            var own = OperatingSystem.IsWindows()
                ? X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pkcs12), null)
                : X509Certificate2.CreateFromPemFile(_certificate, _key);
            var authority = X509Certificate2.CreateFromPem(File.ReadAllText(_files.Authority));
            var signed = File.Exists(_files.Revocations) ? File.ReadAllText(_files.Revocations) : null;
            var state = new State(
                own, own.GetECDsaPrivateKey() ?? throw new CryptographicException("its key is not ECDSA"), authority,
                SslStreamCertificateContext.Create(own, [], offline: true), stamp, signed,
                signed is null ? Revocations.None : Revocations.Read(signed, authority), new Identity("", Role.Reader));
            Problem(state, own, Now, out var self);
            return state with
            {
                Self = self ?? throw new ElasticException(
                    $"{_certificate} is none that the authority in {_files.Authority} has issued: copy the files of one cluster"),
            };
        }
        // The last: the key is another certificate's.
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ElasticException(
                $"the certificates in {_files.Folder} cannot be read ({e.Message}): see the files' mode and owner, and that "
                + $"{_key} belongs to {_certificate}", e);
        }
    }

    // A file that is half replaced is read again at the next look. Whatever is wrong with the process's own certificate, the revoked ones
    // count.
    private void LookAgain()
    {
        string? problem = null;
        try
        {
            if (Stamp() != _state.Stamp)
                _state = Read();
        }
        catch (Exception e) when (e is ElasticException or IOException or UnauthorizedAccessException)
        {
            problem = $"going on with the certificates that were read before: {e.Message}";
        }

        var (state, now) = (_state, Now);
        _open.Close(shown => Counts(state, shown, now));
        Report(problem ?? Problem(state, state.Own, state.Self, now, _files) switch
        {
            { } own => $"others refuse this process: it shows {own}",
            null => OpenKey,
        });
        if (Expiry.WarningOf($"{state.Self}", Expires, now, _files) is { } warning && (_warned is null || now - _warned >= WarnsEvery))
        {
            _warned = now;
            Say(warning);
        }
    }

    // The handshake has looked at the whole certificate; this is asked of each connection every few seconds.
    private static string? Counts(State state, X509Certificate2 shown, DateTimeOffset now) =>
        CertificateAuthority.IdentityOf(shown) is { } holder ? Problem(state, shown, holder, now, null) : "no certificate of this cluster";

    // Each problem once.
    private void Report(string? problem)
    {
        if (problem is not null && problem != _said)
            Say(problem);
        _said = problem;
    }

    private string Stamp() => string.Join(' ', new[] { _files.Authority, _certificate, _key, _files.Revocations }.Select(WrittenAt));

    // Behind links: where a folder of them is replaced as a whole, as containers do it with secrets, the links stay as they are.
    private static long WrittenAt(string path) => !File.Exists(path) ? 0
        : File.GetLastWriteTimeUtc(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path).Ticks;

    private sealed record State(
        X509Certificate2 Own, ECDsa OwnKey, X509Certificate2 Authority, SslStreamCertificateContext Shown, string Stamp,
        string? Signed, Revocations Revocations, Identity Self);
}
