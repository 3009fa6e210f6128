using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Elastic.Foundation.Certificates;

/// <summary>A machine's side of joining and of renewal: it gets a certificate from a seed, and writes its files.</summary>
public static class JoinClient
{
    private static readonly Backoff Retry = new(TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(5));

    /// <summary>
    /// Gets a node its certificate, and tries again while no seed answers. Files that are there and usable are left alone, so that a
    /// process can always be started with its token.
    /// </summary>
    /// <param name="role">What the token must be for.</param>
    /// <param name="name">The node's id; not asked for where a certificate is there, since the id is then the certificate's.</param>
    /// <param name="say">Tells the person what happens.</param>
    /// <exception cref="ElasticException">The token is refused, or for another role; or the files cannot be written.</exception>
    public static async Task JoinAsync(
        IReadOnlyList<Endpoint> seeds, Func<JoinToken> token, Role role, Func<string> name, CertificateFiles files, Action<string> say,
        CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(seeds);
        ArgumentNullException.ThrowIfNull(token);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(say);
        if (files.AreThere)
        {
            if (ProblemOf(files) is not { } problem)
                return;
            say($"{problem}; asking for another one with the join token");
        }

        var shown = token();
        if (shown.Role != role)
            throw new ElasticException(
                $"this join token is for a {Identity.Text(shown.Role)}, not for a {Identity.Text(role)}: "
                + $"ask for another one (elastic certs token --role {Identity.Text(role)})");
        string? said = null;
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await AskAsync(seeds[attempt % seeds.Count], shown, name(), files, say, cancel);
                return;
            }
            catch (UnavailableException e)
            {
                // The seed may just be starting, and another one may have the authority's key.
                if (said != e.Message)
                    say($"{e.Message}; trying again");
                said = e.Message;
                await Task.Delay(Retry.After(attempt / seeds.Count), cancel);
            }
        }
    }

    /// <summary>Asks one seed once for a certificate.</summary>
    /// <param name="name">A node's id, or what a person is called.</param>
    /// <exception cref="UnavailableException">
    /// It does not answer, or cannot issue certificates: another one may, or the same one later.
    /// </exception>
    /// <exception cref="ElasticException">It refuses, or is not of the cluster that the token is for.</exception>
    public static async Task AskAsync(
        Endpoint seed, JoinToken token, string name, CertificateFiles files, Action<string> say, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(token);
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(say);
        var (certificatePath, keyPath) = files.Of(token.Role);
        CertificateFiles.MakeFolder(files.Folder);
        var asked = KeyToAskWith(certificatePath, keyPath, files.Authority);
        using var key = File.Exists(asked) ? ReadKey(asked) : NewKey(asked);
        var request = new JoinRequest(
            token.Secret, Identity.Text(token.Role), name, Convert.ToBase64String(new PublicKey(key).ExportSubjectPublicKeyInfo()),
            token.Role == Role.Seed ? [.. CertificateNames.OfMachine()] : null);
        using var limit = Limit(cancel);
        try
        {
            X509Certificate2? shown = null;
            using var connection = await Transport.Plain.ConnectAsync(seed, limit.Token);
            // The authority's certificate comes with the greeting; until then nothing is known that the seed's could be compared with.
            await using var stream = new SslStream(connection.Stream, false, (_, certificate, _, _) =>
            {
                shown = certificate is null ? null : X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
                return shown is not null;
            });
            await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = TlsTransport.JoinName,
                EnabledSslProtocols = SslProtocols.Tls13,
                AllowTlsResume = false,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            }, limit.Token);
            var greeting = await JoinProtocol.ReadAsync<JoinGreeting>(stream, JoinProtocol.MostRequestBytes, limit.Token);
            using var authority = Pinned(greeting, token, shown!, seed);
            var answer = await TalkAsync(stream, greeting, request, seed, limit.Token);
            Keep(answer, authority, key, files, certificatePath, seed, () => File.Move(asked, keyPath, overwrite: true));
            say($"{seed} has given the certificate of {new Identity(name, token.Role)}: it is in {files.Folder}");
        }
        catch (Exception e) when (e is not ElasticException)
        {
            throw Failure(e, seed, cancel);
        }
    }

    /// <summary>
    /// Has this machine's certificate renewed by a seed. A process that runs shows the new one from its next connection on.
    /// </summary>
    /// <param name="more">
    /// Host names and addresses of a seed, besides those that its certificate has. Of these the seed gives what any machine has, and the
    /// address that it is asked from.
    /// </param>
    /// <inheritdoc cref="AskAsync"/>
    public static async Task RenewAsync(
        Endpoint seed, Credentials credentials, IReadOnlyList<string> more, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(credentials);
        ArgumentNullException.ThrowIfNull(more);
        var files = credentials.Files;
        var (certificatePath, keyPath) = files.Of(credentials.Self.Role);
        using var key = ReadKey(keyPath);
        using var limit = Limit(cancel);
        try
        {
            using var connection = await TlsTransport.ForRenewal(credentials).ConnectAsync(seed, limit.Token);
            var greeting = await JoinProtocol.ReadAsync<JoinGreeting>(connection.Stream, JoinProtocol.MostRequestBytes, limit.Token);
            var request = new JoinRequest(Names: more.Count > 0 ? [.. more] : null);
            var answer = await TalkAsync(connection.Stream, greeting, request, seed, limit.Token);
            Keep(answer, credentials.Authority, key, files, certificatePath, seed);
        }
        catch (Exception e) when (e is not ElasticException)
        {
            throw Failure(e, seed, cancel);
        }
    }

    private static async Task<JoinAnswer> TalkAsync(
        Stream stream, JoinGreeting greeting, JoinRequest request, Endpoint seed, CancellationToken cancel)
    {
        if (greeting.Busy)
            throw new UnavailableException($"{seed} has too many requests for certificates at the moment");
        await JoinProtocol.WriteAsync(stream, request, cancel);
        var answer = await JoinProtocol.ReadAsync<JoinAnswer>(stream, JoinProtocol.MostAnswerBytes, cancel);
        if (answer.Problem is not { } problem)
            return answer;
        var text = $"{seed} gives no certificate: {OneLine.Of(problem, 500)}";
        throw answer.Elsewhere ? new UnavailableException(text) : new ElasticException(text);
    }

    // Nothing is sent to a seed whose certificate is not the pinned authority's.
    private static X509Certificate2 Pinned(JoinGreeting greeting, JoinToken token, X509Certificate2 shown, Endpoint seed)
    {
        var authority = X509Certificate2.CreateFromPem(greeting.Authority);
        var fingerprint = Issuer.FingerprintOf(authority);
        // What people compare is the beginning.
        if (fingerprint != token.Pin && fingerprint.Short == token.Pin.Short)
            throw new ElasticException(
                $"this join token was not copied whole: its fingerprint of the authority begins as that of {seed} does, and ends "
                + "otherwise; nothing was sent. Copy it again, or ask for another one (elastic certs token)");
        if (fingerprint != token.Pin)
            throw new ElasticException(
                $"{seed} is of another cluster than this join token: its authority has the fingerprint "
                + $"{fingerprint.Short}, the token's has {token.Pin.Short}; nothing was sent to it. See "
                + "--seed, or ask for a token there (elastic certs token)");
        if (CertificateAuthority.EndOf(shown) is var ends && ends <= TimeProvider.System.GetUtcNow())
            throw new ElasticException(
                $"the certificate of {seed} expired on {Expiry.Text(ends)}: renew it there (elastic certs renew), or "
                + "see this machine's clock");
        return Credentials.IsIssued(authority, shown, out var identity) && identity!.Role == Role.Seed
            ? authority
            : throw new ElasticException(
                $"{seed} is no seed of the cluster that this join token is for{(identity is null ? "" : $", but {identity}")}: name a "
                + "seed with --seed, by the port of its control plane");
    }

    // The certificate last: with it the folder is complete.
    private static void Keep(
        JoinAnswer answer, X509Certificate2 authority, ECDsa key, CertificateFiles files, string certificatePath, Endpoint seed,
        Action? keepKey = null)
    {
        using var certificate = X509Certificate2.CreateFromPem(answer.Certificate);
        if (!Credentials.IsIssued(authority, certificate, out _)
            || !certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(new PublicKey(key).ExportSubjectPublicKeyInfo()))
            throw new ElasticException(
                $"{seed} has given a certificate that is not for this machine's key: try again, or ask another seed");
        if (answer.Revocations is { } list)
        {
            _ = Revocations.Read(list, authority);
            CertificateFiles.WritePublic(files.Revocations, list);
        }

        CertificateFiles.WritePublic(files.Authority, authority.ExportCertificatePem());
        keepKey?.Invoke();
        CertificateFiles.WritePublic(certificatePath, certificate.ExportCertificatePem());
    }

    private static ElasticException Failure(Exception e, Endpoint seed, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return e switch
        {
            SocketException => new UnavailableException($"nobody answers at {seed} ({e.Message})", e),
            OperationCanceledException => new UnavailableException(
                $"{seed} did not answer within {JoinProtocol.Deadline.TotalSeconds:0} s", e),
            AuthenticationException or IOException => new UnavailableException(
                $"{seed} gives no certificate ({e.Message}): name a seed that runs with certificates, by the port of its control plane; "
                + "its log says why it refuses one", e),
            InvalidDataException or CryptographicException or ArgumentException => new ElasticException(
                $"{seed} answers something that is no certificate ({e.Message}): name a seed by the port of its control plane", e),
            _ => new ElasticException($"the certificate from {seed} cannot be kept: {e.Message}", e),
        };
    }

    private static CancellationTokenSource Limit(CancellationToken cancel)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(JoinProtocol.Deadline + TimeSpan.FromSeconds(2));
        return limit;
    }

    // The file of the key to ask with. The key of a request that was never answered is used again: the authority knows it, if the answer
    // was lost on the way. So is the key of a certificate that cannot be read, or whose authority's cannot: for another key the authority
    // gives none, since the name is taken. Beside a certificate that counts no more a new key is drawn, into a file of its own: where no
    // seed gives a certificate for it, the folder is as it was.
    private static string KeyToAskWith(string certificatePath, string keyPath, string authorityPath)
    {
        if (!File.Exists(certificatePath))
            return keyPath;
        try
        {
            ReadKey(keyPath).Dispose();
            X509Certificate2.CreateFromPemFile(certificatePath, keyPath).Dispose();
            X509CertificateLoader.LoadCertificateFromFile(authorityPath).Dispose();
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException or IOException or UnauthorizedAccessException)
        {
            return keyPath;
        }
        catch (ElasticException)
        {
            // The key cannot be read, and is of no use.
        }
        return keyPath + ".drawn";
    }

    private static ECDsa NewKey(string path)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateFiles.WriteSecret(path, key.ExportPkcs8PrivateKeyPem());
        return key;
    }

    private static ECDsa ReadKey(string path)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(path));
            return key;
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException or IOException or UnauthorizedAccessException)
        {
            key.Dispose();
            throw new ElasticException($"the key in {path} cannot be read ({e.Message}): see its mode and owner", e);
        }
    }

    private static string? ProblemOf(CertificateFiles files)
    {
        try
        {
            Credentials.OfNode(files, TimeProvider.System).Dispose();
            return null;
        }
        catch (ElasticException e)
        {
            return e.Message;
        }
    }
}
