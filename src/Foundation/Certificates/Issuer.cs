using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// The folder in which certificates are issued: nothing is given out that is not in its record, and one process at a time changes it. To
/// be disposed of at once: others wait for it.
/// </summary>
public sealed class Issuer : IDisposable
{
    // Of a serial number or a hash: few enough to type, and no accident.
    private const int LeastDigits = 8;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(20);

    // Used and expired tokens stay for a while, so that whoever comes with one is told what is wrong with it.
    private static readonly TimeSpan KeepsTokens = TimeSpan.FromDays(7);

    private readonly CertificateFiles _files;
    private readonly TimeProvider _time;
    private readonly FileStream _lock;
    private readonly CertificateAuthority _authority;
    private readonly X509Certificate2 _certificate;

    private Issuer(CertificateFiles files, TimeProvider time, FileStream held, CertificateAuthority authority)
    {
        (_files, _time, _lock, _authority) = (files, time, held, authority);
        _certificate = X509Certificate2.CreateFromPem(authority.CertificatePem);
    }

    /// <summary>The authority's certificate.</summary>
    public string AuthorityPem => _authority.CertificatePem;

    /// <summary>What join tokens pin.</summary>
    public Digest Fingerprint => FingerprintOf(_certificate);

    /// <summary>All that was issued, the oldest first.</summary>
    public IReadOnlyList<IssuedCertificate> Issued => IssuedCertificate.Read(_files.Issued);

    /// <summary>The certificates that were revoked and have not expired.</summary>
    public Revocations Revocations =>
        File.Exists(_files.Revocations) ? Revocations.Read(File.ReadAllText(_files.Revocations), _certificate) : Revocations.None;

    /// <summary>The signed list of these; null where nothing was revoked.</summary>
    public string? SignedRevocations => File.Exists(_files.Revocations) ? File.ReadAllText(_files.Revocations) : null;

    /// <summary>The tokens that can still be used.</summary>
    public IReadOnlyList<StoredToken> OpenTokens =>
        [.. Tokens.Where(t => t.Left > 0 && t.Expires > _time.GetUtcNow()).OrderBy(t => t.Expires)];

    private IEnumerable<StoredToken> Tokens => !Directory.Exists(_files.Tokens) ? []
        : Directory.EnumerateFiles(_files.Tokens).Select(Path.GetFileName).Where(Digest.IsDigest)
            .Select(name => TokenOf(new Digest(name!))).OfType<StoredToken>();

    /// <summary>Makes the authority of a new cluster, in a folder that nobody else can enter.</summary>
    /// <inheritdoc cref="CertificateAuthority.Create"/>
    public static async Task<Issuer> CreateAsync(CertificateFiles files, TimeProvider time, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(time);
        CertificateAuthority.Create(files, time.GetUtcNow()).Dispose();
        return await OpenAsync(files, time, cancel);
    }

    /// <exception cref="ElasticException">The folder has no authority's key, or another process does not let go of it.</exception>
    public static async Task<Issuer> OpenAsync(CertificateFiles files, TimeProvider time, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(time);
        var authority = CertificateAuthority.Open(files);
        try
        {
            return new Issuer(files, time, await LockAsync(files, cancel), authority);
        }
        catch
        {
            authority.Dispose();
            throw;
        }
    }

    /// <summary>Issues a certificate, and returns when it is in the record.</summary>
    /// <param name="how">By which command, or with which token; for the record.</param>
    /// <param name="names">Host names and addresses of a seed, for browsers (<see cref="CertificateNames"/>).</param>
    /// <returns>PEM.</returns>
    /// <exception cref="ElasticException">The name is none, or somebody else's; or the key is of another kind.</exception>
    public string Issue(PublicKey key, Identity identity, TimeSpan validity, string how, IReadOnlyList<string>? names = null)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(identity);
        var pem = Make(key, identity, validity, names ?? []);
        Record(pem, how);
        return pem;
    }

    /// <summary>Issues a certificate anew to whoever has shown one, for the same key.</summary>
    /// <param name="more">Host names and addresses of a seed, besides those that the present one has.</param>
    /// <exception cref="ElasticException">It counts no more.</exception>
    public string Renew(X509Certificate2 present, string how, IReadOnlyList<string> more)
    {
        ArgumentNullException.ThrowIfNull(present);
        var identity = CertificateAuthority.IdentityOf(present)
            ?? throw new ElasticException("this is no certificate of this cluster");
        if (Revocations.Revoked.ContainsKey(present.SerialNumber))
            throw new ElasticException(
                $"the certificate of {identity} was revoked: a join token (elastic certs token) gets another one, and where the "
                + $"authority's key is, elastic certs node {identity.Name} --role {Identity.Text(identity.Role)} --out DIR makes one, to "
                + "be copied over it with its key (all with --certs FOLDER where that is another one)");
        return Issue(
            present.PublicKey, identity, CertificateAuthority.Validity, how, CertificateNames.Join(CertificateNames.Of(present), more));
    }

    /// <summary>Puts certificates on the list of those that count no more.</summary>
    /// <param name="whose">A name, or a serial number or its beginning.</param>
    /// <returns>What was revoked; nothing where there is no such certificate that counts.</returns>
    /// <exception cref="ElasticException">The list is full.</exception>
    public IReadOnlyList<IssuedCertificate> Revoke(string whose)
    {
        ArgumentNullException.ThrowIfNull(whose);
        var (now, list) = (_time.GetUtcNow(), Revocations);
        bool IsSerial(string serial) => whose.Length >= LeastDigits && serial.StartsWith(whose, StringComparison.OrdinalIgnoreCase);
        var found = Issued.Where(i => (i.Name == whose || IsSerial(i.Serial))
            && i.Expires > now && !list.Revoked.ContainsKey(i.Serial)).ToList();
        if (found.Count == 0)
            return found;
        // Clocks of a cluster may differ: what expired today may still count elsewhere.
        list = list.Without([.. Issued.Where(i => i.Expires < now - TimeSpan.FromDays(1)).Select(i => i.Serial)]);
        var next = found.Aggregate(list, (l, i) => l.With(i.Serial, $"{i.Role} {i.Name}"));
        CertificateFiles.WritePublic(_files.Revocations, next.Signed(_authority));
        return found;
    }

    /// <summary>Makes a join token, of which only the hash is kept.</summary>
    /// <param name="names">Host names and addresses of a seed, which it gets besides its own.</param>
    /// <exception cref="ElasticException">There are more of these than leave room for its own.</exception>
    public JoinToken NewToken(Role role, int uses, TimeSpan lifetime, IReadOnlyList<string>? names = null)
    {
        if (names?.Count > CertificateNames.MostOfMachine)
            throw new ElasticException($"a token gives {CertificateNames.MostOfMachine} names and addresses at most");
        var now = _time.GetUtcNow();
        foreach (var old in Tokens.Where(t => t.Expires < now - KeepsTokens).ToList())
            File.Delete(PathOf(old.Hash));
        var token = JoinToken.Draw(role, Fingerprint);
        Keep(new StoredToken(token.Hash, role, uses, now + lifetime, names ?? []));
        return token;
    }

    /// <summary>Withdraws the open token whose hash begins so.</summary>
    public IReadOnlyList<StoredToken> Withdraw(string hash)
    {
        ArgumentNullException.ThrowIfNull(hash);
        var found = OpenTokens.Where(t => hash.Length >= LeastDigits && t.Hash.Hex.StartsWith(hash, StringComparison.OrdinalIgnoreCase))
            .ToList();
        found.ForEach(t => Keep(t with { Left = 0 }));
        return found;
    }

    private const int MostAgain = 8;

    /// <summary>
    /// Issues a certificate to whoever has a token. The token is counted down before the certificate is given. Who asks again with the same
    /// token and key, because the answer was lost, gets another one, and no use is counted: the first is as good as a renewal's.
    /// </summary>
    /// <param name="names">Host names and addresses of a seed, besides those that the token was made for.</param>
    /// <returns>PEM.</returns>
    /// <exception cref="ElasticException">The token is none, used up, expired or for another role; or see <see cref="Issue"/>.</exception>
    public string IssueFor(string secret, PublicKey key, Identity identity, IReadOnlyList<string> names)
    {
        ArgumentNullException.ThrowIfNull(secret);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(identity);
        var now = _time.GetUtcNow();
        const string another = "ask for another one (elastic certs token)";
        var token = TokenOf(JoinToken.HashOf(secret)) ?? throw new ElasticException($"this join token is not known here: {another}");
        // Few lost answers come after each other; a list of revoked certificates has room for all that one token gave.
        var isAgain = Valid(identity.Name).Count(i =>
            i.Key == KeyOf(key) && i.How == HowOf(token) && i.Role == Identity.Text(identity.Role)) is > 0 and < MostAgain;
        if (token.Expires <= now && !isAgain)
            throw new ElasticException($"this join token expired on {token.Expires:yyyy-MM-dd HH:mm}Z: {another}");
        if (token.Left <= 0 && !isAgain)
            throw new ElasticException($"this join token is used up or withdrawn{UserOf(token)}: {another}");
        if (token.Role != identity.Role)
            throw new ElasticException(
                $"this join token is for a {Identity.Text(token.Role)}, not for a {Identity.Text(identity.Role)}: {another}");
        // What is wrong with the rest of the request must not cost a use.
        var pem = Make(key, identity, CertificateAuthority.Validity, CertificateNames.Join(names, token.Names));
        if (!isAgain)
            Keep(token with { Left = token.Left - 1 });
        Record(pem, HowOf(token));
        return pem;
    }

    /// <summary>What join tokens pin: the SHA-256 of the authority's certificate.</summary>
    public static Digest FingerprintOf(X509Certificate2 authority)
    {
        ArgumentNullException.ThrowIfNull(authority);
        return Digest.Of(authority.RawDataMemory.Span);
    }

    public void Dispose()
    {
        _certificate.Dispose();
        _authority.Dispose();
        _lock.Dispose();
    }

    private string Make(PublicKey key, Identity identity, TimeSpan validity, IReadOnlyList<string> names)
    {
        var digest = KeyOf(key);
        // Two holders of one name would be one to the cluster, and one could be revoked in place of the other.
        if (Valid(identity.Name).FirstOrDefault(i => i.Key != digest || i.Role != Identity.Text(identity.Role)) is { } other)
            throw new ElasticException(
                $"{other.Role} {other.Name} has a certificate already (serial {other.Serial}, until {other.Expires:yyyy-MM-dd}): take "
                + "another name (a person's with --name; a node's is in the file node-id of its data directory), or say first, where "
                + $"elastic certs init was done, that the old one counts no more: elastic certs revoke {other.Name}");
        return _authority.Issue(key, identity, _time.GetUtcNow(), validity, names);
    }

    private void Record(string pem, string how)
    {
        using var issued = X509Certificate2.CreateFromPem(pem);
        var identity = CertificateAuthority.IdentityOf(issued)!;
        new IssuedCertificate(
            issued.SerialNumber, identity.Name, Identity.Text(identity.Role), KeyOf(issued.PublicKey), _time.GetUtcNow(),
            CertificateAuthority.EndOf(issued), how).AddTo(_files.Issued);
    }

    private static string KeyOf(PublicKey key) => Digest.Of(key.ExportSubjectPublicKeyInfo()).Hex;

    private static string HowOf(StoredToken token) => $"token {token.Hash.Short}";

    private string UserOf(StoredToken token) =>
        Issued.LastOrDefault(i => i.How == HowOf(token)) is { } last ? $", last by {last.Name} on {last.At:yyyy-MM-dd HH:mm}Z" : "";

    private IEnumerable<IssuedCertificate> Valid(string name)
    {
        var (now, revoked) = (_time.GetUtcNow(), Revocations.Revoked);
        return Issued.Where(i => i.Name == name && i.Expires > now && !revoked.ContainsKey(i.Serial));
    }

    private string PathOf(Digest hash) => Path.Combine(_files.Tokens, hash.Hex);

    private StoredToken? TokenOf(Digest hash)
    {
        if (!File.Exists(PathOf(hash)))
            return null;
        try
        {
            var stored = JsonNode.Parse(File.ReadAllText(PathOf(hash)))!.AsObject();
            return Identity.RoleOf(stored["role"]?.GetValue<string>() ?? "") is { } role
                ? new StoredToken(
                    hash, role, stored["left"]?.GetValue<int>() ?? 0, stored["expires"]?.GetValue<DateTimeOffset>() ?? default,
                    [.. (stored["names"]?.AsArray() ?? []).Select(n => n?.GetValue<string>() ?? "")])
                : null;
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or FormatException or InvalidOperationException or ArgumentException)
        {
            return null;                                              // what is no token lets nobody in
        }
    }

    private void Keep(StoredToken token)
    {
        CertificateFiles.MakeFolder(_files.Tokens);
        CertificateFiles.WriteSecret(PathOf(token.Hash), new JsonObject
        {
            ["role"] = Identity.Text(token.Role),
            ["left"] = token.Left,
            ["expires"] = token.Expires,
            ["names"] = new JsonArray([.. token.Names.Select(n => (JsonNode)n)]),
        }.ToJsonString());
    }

    private static async Task<FileStream> LockAsync(CertificateFiles files, CancellationToken cancel)
    {
        for (var since = TimeProvider.System.GetTimestamp(); ;)
        {
            try
            {
                return new FileStream(files.Lock, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (UnauthorizedAccessException e)
            {
                throw new ElasticException($"{files.Folder} cannot be written ({e.Message}): see its mode and owner", e);
            }
            catch (IOException) when (TimeProvider.System.GetElapsedTime(since) < Patience)
            {
                await Task.Delay(Again, cancel);
            }
            catch (IOException e)
            {
                throw new ElasticException($"another process is issuing certificates in {files.Folder} ({e.Message}): try again", e);
            }
        }
    }
}
