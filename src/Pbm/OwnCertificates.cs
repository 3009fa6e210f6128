using Elastic.Foundation.Certificates;

namespace Elastic.Pbm;

/// <summary>The certificates of the person who uses pbm.</summary>
internal static class OwnCertificates
{
    /// <summary>The environment variable that names another default.</summary>
    public const string Variable = "ELASTIC_CERTS";

    /// <summary>
    /// The credentials in the folder that was named, else in the one of this machine's data directory; null where there are none.
    /// </summary>
    /// <param name="given">From the command line.</param>
    /// <exception cref="Foundation.ElasticException">The folder that was named has none, or they cannot be used.</exception>
    public static Credentials? Find(string? given)
    {
        if ((given ?? OwnFiles.Variable(Variable)) is { } named)
            return Credentials.OfPerson(new CertificateFiles(Path.GetFullPath(named)), TimeProvider.System);
        var files = new CertificateFiles(OwnFiles.InDataDirectory(CertificateFiles.InDataDirectory));
        return File.Exists(files.Admin) ? Credentials.OfPerson(files, TimeProvider.System) : null;
    }
}
