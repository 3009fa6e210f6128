using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Elastic.Foundation.Certificates;

namespace Elastic.Testing;

/// <summary>The authority of a test's cluster, and folders of certificates that it has issued.</summary>
public sealed class TestAuthority : IDisposable
{
    private readonly string _folder;
    private readonly CertificateAuthority _authority;
    private Revocations _revocations = Revocations.None;

    public TestAuthority(string folder)
    {
        _folder = folder;
        // Old enough to have issued certificates that have expired.
        _authority = CertificateAuthority.Create(new CertificateFiles(folder), DateTimeOffset.UtcNow.AddDays(-30));
    }

    /// <summary>Issues a certificate, over one that is there.</summary>
    /// <param name="folder">Null for one of the authority's own.</param>
    /// <param name="names">Host names and addresses, for a seed.</param>
    public CertificateFiles Issue(
        string name, Role role, DateTimeOffset? at = null, TimeSpan? validity = null, string? folder = null,
        IReadOnlyList<string>? names = null)
    {
        var files = new CertificateFiles(folder ?? Path.Combine(_folder, name));
        Directory.CreateDirectory(files.Folder);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (File.Exists(files.Key))
            key.ImportFromPem(File.ReadAllText(files.Key));                // as a renewal does, so that the two files fit at any moment
        CertificateFiles.WritePublic(files.Authority, _authority.CertificatePem);
        CertificateFiles.WriteSecret(files.Key, key.ExportPkcs8PrivateKeyPem());
        CertificateFiles.WritePublic(files.Certificate, _authority.Issue(
            new PublicKey(key), new Identity(name, role), at ?? DateTimeOffset.UtcNow, validity ?? CertificateAuthority.Validity,
            names));
        return files;
    }

    /// <summary>Puts the authority's key where a seed has its certificates, so that it can hand some out.</summary>
    public void GiveKey(CertificateFiles seed) =>
        CertificateFiles.WriteSecret(seed.AuthorityKey, File.ReadAllText(new CertificateFiles(_folder).AuthorityKey));

    /// <summary>The signed list with one more certificate.</summary>
    public string Revoke(CertificateFiles holder)
    {
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(holder.Certificate));
        _revocations = _revocations.With(certificate.SerialNumber, Path.GetFileName(holder.Folder));
        return _revocations.Signed(_authority);
    }

    public void Dispose() => _authority.Dispose();
}
