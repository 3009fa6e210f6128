using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;

namespace Elastic.Messages.Pbm;

/// <summary>
/// What pbm shows to a seed that has no certificates. A file that only the seed's user can read holds it: whoever merely reaches the port,
/// another user of the machine or a web page in a browser there, does not control the runs.
/// </summary>
public sealed class PbmToken
{
    /// <summary>The file's name in a data directory.</summary>
    public const string FileName = "pbm-token";

    private const int SecretBytes = 32;
    private const int MostBytes = 1024;

    private PbmToken(string path, string secret) => (Path, Secret) = (path, secret);

    /// <summary>The file that holds it.</summary>
    public string Path { get; }

    /// <summary>For the connection to the seed, and for nothing that people or logs see.</summary>
    public string Secret { get; }

    /// <summary>Where the token of a data directory is.</summary>
    public static string PathIn(string dataDir) => System.IO.Path.GetFullPath(System.IO.Path.Combine(dataDir, FileName));

    /// <summary>The token of a seed's data directory; draws it at the seed's first start, and keeps it.</summary>
    /// <inheritdoc cref="Read"/>
    public static PbmToken OfSeed(string dataDir)
    {
        var path = PathIn(dataDir);
        if (!File.Exists(path))
            CertificateFiles.WriteSecret(path, $"{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(SecretBytes))}\n");
        return Read(path);
    }

    /// <summary>Reads a token that only the file's owner can read.</summary>
    /// <exception cref="ElasticException">It cannot be read, others can read it, or it is none. Messages do not repeat it.</exception>
    public static PbmToken Read(string path)
    {
        try
        {
            var text = RegularFile.ReadText(path, MostBytes).Trim();
            if (PrivateFiles.ProblemOf(path) is { } open)
                throw new ElasticException($"{open}, who can control the runs with it: close it with chmod 600 {path}");
            return text.Length == 2 * SecretBytes && text.All(char.IsAsciiHexDigitLower)
                ? new PbmToken(path, text)
                : throw new ElasticException(
                    $"{path} holds no token of a seed: copy {FileName} from the seed's data directory; "
                    + "where this is that file, delete it, and the seed makes another one when it starts");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ElasticException($"the token for pbm cannot be read: {e.Message}", e);
        }
    }

    /// <summary>True for this token. How long the comparison takes says nothing about the token.</summary>
    public bool Matches(string? shown) =>
        shown is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(shown), Encoding.UTF8.GetBytes(Secret));
}
