using System.Security.Cryptography;
using System.Text;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// What a new machine shows once to get its certificate. It names the role, and pins the authority: the machine trusts nobody else.
/// </summary>
/// <param name="Role">For messages; what counts is the role that the authority keeps with the hash of the secret.</param>
/// <param name="Secret">In lower-case hex.</param>
/// <param name="Pin">The SHA-256 of the authority's certificate.</param>
public sealed record JoinToken(Role Role, string Secret, Digest Pin)
{
    private const string Prefix = "elastic-join";
    private const int SecretBytes = 20;
    private const int MostCharacters = 1024;

    /// <summary>The hash under which the authority knows the token. It says nothing about the secret, which has 160 random bits.</summary>
    public Digest Hash => HashOf(Secret);

    internal static JoinToken Draw(Role role, Digest pin) =>
        new(role, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(SecretBytes)), pin);

    internal static Digest HashOf(string secret) => Digest.Of(Encoding.UTF8.GetBytes(secret));

    /// <summary>The text to be handed to the new machine, and to nobody else.</summary>
    public string ToText() => $"{Prefix}.{Identity.Text(Role)}.{Secret}.{Pin}";

    /// <summary>Reads a token from a file, or from standard input for "-".</summary>
    /// <param name="say">Is told where others can read the file. It is used all the same: secrets of containers have such modes.</param>
    /// <exception cref="ElasticException">It holds none. The message does not repeat what it holds.</exception>
    public static JoinToken Read(string file, TextReader standardInput, Action<string> say)
    {
        ArgumentNullException.ThrowIfNull(standardInput);
        ArgumentNullException.ThrowIfNull(say);
        try
        {
            if (file != "-" && PrivateFiles.ProblemOf(file) is { } open)
                say($"{open}, who can get a certificate with the join token in it as long as it counts: close it with chmod 600 {file}");
            using var opened = file == "-" ? null : new StreamReader(file);
            var text = new char[MostCharacters];
            var length = (opened ?? standardInput).ReadBlock(text);
            return Parse(new string(text, 0, length).Trim()) ?? throw new ElasticException(
                $"{(file == "-" ? "standard input" : file)} holds no join token: elastic certs token prints one, "
                + "where elastic certs init was done");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException($"the join token cannot be read ({e.Message.TrimEnd('.')}): name with --token-file the file of what "
                + "elastic certs token prints, where elastic certs init was done", e);
        }
    }

    /// <summary>Reads a token; null where the text is none.</summary>
    public static JoinToken? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Split('.') is [Prefix, var role, { Length: 2 * SecretBytes } secret, var pin]
            && Identity.RoleOf(role) is { } known && secret.All(char.IsAsciiHexDigitLower) && Digest.IsDigest(pin)
            ? new JoinToken(known, secret, new Digest(pin))
            : null;
    }

    /// <summary>The token without the secret: texts of records reach logs.</summary>
    public override string ToString() => $"join token {Hash.Short} for a {Identity.Text(Role)}";
}

/// <summary>What the authority keeps of a join token.</summary>
/// <param name="Hash">Hash of the secret; the secret itself is nowhere.</param>
/// <param name="Left">How often it can still be used.</param>
/// <param name="Names">Host names and addresses that a seed's certificate gets, besides the machine's own.</param>
public sealed record StoredToken(Digest Hash, Role Role, int Left, DateTimeOffset Expires, IReadOnlyList<string> Names);
