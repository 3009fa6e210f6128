using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;

namespace Elastic.Host.Doctor;

/// <summary>Whether the certificates of this machine can be used, and for how long.</summary>
internal static class CertificateFindings
{
    /// <summary>Nothing where there are none: a process on one machine needs none.</summary>
    public static IEnumerable<Finding> Of(CertificateFiles files, TimeProvider time)
    {
        if (!Directory.Exists(files.Folder))
            return [];
        return [.. new[] { (files.Certificate, IsNode: true), (files.Admin, IsNode: false) }
            .Where(f => File.Exists(f.Item1)).Select(f => Of(files, f.IsNode, time)), .. OfAuthority(files, time.GetUtcNow())];
    }

    // Of one that cannot be read, the findings above speak.
    private static IEnumerable<Finding> OfAuthority(CertificateFiles files, DateTimeOffset now)
    {
        try
        {
            using var authority = X509Certificate2.CreateFromPem(File.ReadAllText(files.Authority));
            return Expiry.AuthoritysWarningOf(CertificateAuthority.EndOf(authority), now)?.Split(": ", 2) is [var what, var remedy]
                ? [new Finding("certificate", what, remedy)] : [];
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static Finding Of(CertificateFiles files, bool isNode, TimeProvider time)
    {
        try
        {
            using var credentials = isNode ? Credentials.OfNode(files, time) : Credentials.OfPerson(files, time);
            var now = time.GetUtcNow();
            return (Expiry.WarningOf($"{credentials.Self}", credentials.Expires, now, files) ?? credentials.OpenKey) is { } warning
                ? new Finding("certificate", warning.Split(": ")[0], warning.Split(": ", 2)[1])
                : new Finding("certificate",
                    $"{credentials.Self} in {files.Folder}, for {Expiry.InDays(credentials.Expires, now)} more");
        }
        catch (ElasticException e)
        {
            return new Finding("certificate", e.Message, $"elastic certs show --certs {files.Folder} shows what is there");
        }
    }
}
