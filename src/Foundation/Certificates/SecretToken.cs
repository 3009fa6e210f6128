using System.Security.Cryptography;
using System.Text;

namespace Elastic.Foundation.Certificates;

/// <summary>What the messages about a token say.</summary>
/// <param name="Name">"the token for pbm".</param>
/// <param name="Harm">What somebody can do who has it: "who can control the runs with it".</param>
/// <param name="Remedy">Where another one is had from, where a file holds none.</param>
public sealed record TokenWords(string Name, string Harm, string Remedy);

/// <summary>A secret of 32 bytes, in hexadecimal digits, in a file that only its owner can read.</summary>
public sealed class SecretToken
{
    private const int SecretBytes = 32;
    private const int MostBytes = 1024;

    private SecretToken(string path, string secret) => (Path, Secret) = (path, secret);

    /// <summary>The file that holds it.</summary>
    public string Path { get; }

    /// <summary>The secret, for those to whom it is shown, and for nothing that people or logs see.</summary>
    public string Secret { get; }

    /// <summary>Reads the token; where there is no file yet, draws it.</summary>
    /// <inheritdoc cref="Read"/>
    public static SecretToken ReadOrDraw(string path, TokenWords words)
    {
        if (!File.Exists(path))
            CertificateFiles.WriteSecret(path, $"{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(SecretBytes))}\n");
        return Read(path, words);
    }

    /// <summary>Reads a token that only the file's owner can read.</summary>
    /// <exception cref="ElasticException">It cannot be read, others can read it, or it is none. Messages do not repeat it.</exception>
    public static SecretToken Read(string path, TokenWords words)
    {
        ArgumentNullException.ThrowIfNull(words);
        try
        {
            var text = RegularFile.ReadText(path, MostBytes).Trim();
            if (PrivateFiles.ProblemOf(path) is { } open)
                throw new ElasticException($"{open}, {words.Harm}: close it with chmod 600 {path}");
            return text.Length == 2 * SecretBytes && text.All(char.IsAsciiHexDigitLower)
                ? new SecretToken(path, text)
                : throw new ElasticException($"{path} holds no token: {words.Remedy}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ElasticException($"{words.Name} cannot be read ({e.Message.TrimEnd('.')}): {words.Remedy}", e);
        }
    }

    /// <summary>True for this token. How long the comparison takes says nothing about the token.</summary>
    public bool Matches(string? shown) =>
        shown is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(shown), Encoding.UTF8.GetBytes(Secret));
}
