using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// Issues the certificates of one cluster: what it has not signed gets no further than the handshake. Keys are ECDSA on P-256; a
/// certificate holds the role as its organizational unit and the name as its common name, and no address, since machines move. But browsers
/// ask for one: a seed's holds the names and addresses under which they reach it.
/// </summary>
public sealed class CertificateAuthority : IDisposable
{
    /// <summary>How long a certificate of a node or a person is valid.</summary>
    public static readonly TimeSpan Validity = TimeSpan.FromDays(90);

    private const string Organization = "Elastic";
    private const int SerialBytes = 16;
    private static readonly TimeSpan OwnValidity = TimeSpan.FromDays(3650);

    // Clocks of a cluster may differ.
    private static readonly TimeSpan Early = TimeSpan.FromDays(1);

    private readonly X509Certificate2 _certificate;                   // with its key

    private CertificateAuthority(X509Certificate2 certificate) => _certificate = certificate;

    /// <summary>The certificate that every process of the cluster has.</summary>
    public string CertificatePem => _certificate.ExportCertificatePem();

    /// <summary>Makes the authority of a new cluster.</summary>
    /// <exception cref="ElasticException">The folder has one.</exception>
    public static CertificateAuthority Create(CertificateFiles files, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(files);
        if (File.Exists(files.Authority) || File.Exists(files.AuthorityKey))
            throw new ElasticException(
                $"{files.Folder} has the certificates of a cluster: give another folder with --certs, or go on with these");
        CertificateFiles.MakeFolder(files.Folder);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(
            Subject($"authority {Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}", null), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var certificate = request.CreateSelfSigned(now - Early, now + OwnValidity);
        CertificateFiles.WriteSecret(files.AuthorityKey, key.ExportPkcs8PrivateKeyPem());
        CertificateFiles.WritePublic(files.Authority, certificate.ExportCertificatePem());
        return new CertificateAuthority(certificate);
    }

    /// <exception cref="ElasticException">The folder has no authority's key, or an unreadable one.</exception>
    public static CertificateAuthority Open(CertificateFiles files)
    {
        ArgumentNullException.ThrowIfNull(files);
        if (!File.Exists(files.AuthorityKey))
            throw new ElasticException(
                $"{files.Folder} has no authority.key, so nothing can be issued here: do this where elastic certs init was done");
        try
        {
            return new CertificateAuthority(X509Certificate2.CreateFromPemFile(files.Authority, files.AuthorityKey));
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"the authority in {files.Folder} cannot be read ({e.Message}): see its files' mode and owner", e);
        }
    }

    /// <summary>A certificate for somebody's key.</summary>
    /// <param name="publicKey">ECDSA on P-256.</param>
    /// <param name="names">Host names and addresses, for a seed.</param>
    /// <returns>PEM.</returns>
    /// <exception cref="ElasticException">
    /// The name is none, the key is of another kind, a certificate that is no seed's is to have host names, or the authority has expired.
    /// </exception>
    public string Issue(
        PublicKey publicKey, Identity identity, DateTimeOffset now, TimeSpan validity, IReadOnlyList<string>? names = null)
    {
        ArgumentNullException.ThrowIfNull(identity);
        if (!Identity.IsName(identity.Name))
            throw new ElasticException(
                $"\"{identity.Name}\" is no name for a certificate: letters, digits, dots, underscores and dashes, at most 80");
        if (!IsWanted(publicKey))
            throw new ElasticException("a certificate needs a key of ECDSA on the curve P-256: openssl ecparam -name prime256v1 -genkey");
        // A browser that trusts the authority would take any other holder for a server of that name.
        if (names is { Count: > 0 } && identity.Role != Role.Seed)
            throw new ElasticException($"{identity} serves no browser: only a seed's certificate has host names and addresses");
        var request = new CertificateRequest(Subject(identity.Name, identity.Role), publicKey, HashAlgorithmName.SHA256);
        if (names is { Count: > 0 })
            request.CertificateExtensions.Add(CertificateNames.Extension(CertificateNames.Join(names, [])));
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(
            [new Oid("1.3.6.1.5.5.7.3.1", "server"), new Oid("1.3.6.1.5.5.7.3.2", "client")], false));
        var (authoritys, last) = (new DateTimeOffset(_certificate.NotBefore).ToUniversalTime(), EndOf(_certificate));
        if (now >= last)
            throw new ElasticException($"the authority expired on {Expiry.Text(last)}: {Expiry.NewCluster}");
        // A clock that was set back must not keep a machine from joining.
        var (begin, end) = (now - Early > authoritys ? now - Early : authoritys, now + validity < last ? now + validity : last);
        if (begin >= end)
            throw new ElasticException($"the authority is valid from {Expiry.Text(authoritys)} on: see this machine's clock");
        using var certificate = request.Create(_certificate, begin, end, Serial());
        return certificate.ExportCertificatePem();
    }

    /// <summary>The authority's signature under some bytes, for lists that it gives out.</summary>
    public byte[] Sign(ReadOnlySpan<byte> bytes)
    {
        using var key = _certificate.GetECDsaPrivateKey()!;
        return key.SignData(bytes, HashAlgorithmName.SHA256);
    }

    /// <summary>Who a certificate names; null where it does not say so as this authority does.</summary>
    public static Identity? IdentityOf(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        string? name = null, organization = null;
        Role? role = null;
        foreach (var part in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (part.HasMultipleElements)
                return null;
            switch (part.GetSingleElementType().Value)
            {
                case "2.5.4.3": name = part.GetSingleElementValue(); break;
                case "2.5.4.10": organization = part.GetSingleElementValue(); break;
                case "2.5.4.11": role = Identity.RoleOf(part.GetSingleElementValue() ?? ""); break;
            }
        }

        return organization == Organization && role is { } known && name is not null && Identity.IsName(name)
            ? new Identity(name, known)
            : null;
    }

    /// <summary>The time at which a certificate expires.</summary>
    public static DateTimeOffset EndOf(X509Certificate2 certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        return new DateTimeOffset(certificate.NotAfter).ToUniversalTime();
    }

    public void Dispose() => _certificate.Dispose();

    // The key may come from another process.
    private static bool IsWanted(PublicKey key)
    {
        try
        {
            using var curve = key.GetECDsaPublicKey();
            return curve?.ExportParameters(false).Curve.Oid.Value == ECCurve.NamedCurves.nistP256.Oid.Value;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static X500DistinguishedName Subject(string name, Role? role)
    {
        var subject = new X500DistinguishedNameBuilder();
        subject.AddOrganizationName(Organization);
        if (role is { } known)
            subject.AddOrganizationalUnitName(Identity.Text(known));
        subject.AddCommonName(name);
        return subject.Build();
    }

    // Positive, as the standard wants it.
    private static byte[] Serial()
    {
        var serial = RandomNumberGenerator.GetBytes(SerialBytes);
        serial[0] = (byte)(serial[0] & 0x7f | 0x40);
        return serial;
    }
}
