using Elastic.Foundation.Certificates;

namespace Elastic.Pbm;

/// <summary>The certificates of the person who uses pbm.</summary>
internal static class OwnCertificates
{
    /// <summary>The environment variable that names another default.</summary>
    public const string Variable = "ELASTIC_CERTS";

    private const string DataVariable = "ELASTIC_DATA_DIR";
    private const string DataDir = "elastic-data";

    /// <summary>
    /// The credentials in the folder that was named, else in the one of this machine's data directory; null where there are none.
    /// </summary>
    /// <param name="given">From the command line.</param>
    /// <exception cref="Foundation.ElasticException">The folder that was named has none, or they cannot be used.</exception>
    public static Credentials? Find(string? given)
    {
        if ((given ?? NotEmpty(Variable)) is { } named)
            return Credentials.OfPerson(new CertificateFiles(Path.GetFullPath(named)), TimeProvider.System);
        var files = new CertificateFiles(
            Path.GetFullPath(Path.Combine(NotEmpty(DataVariable) ?? DataDir, CertificateFiles.InDataDirectory)));
        return File.Exists(files.Admin) ? Credentials.OfPerson(files, TimeProvider.System) : null;
    }

    private static string? NotEmpty(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;
}
