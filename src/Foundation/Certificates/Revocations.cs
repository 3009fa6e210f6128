using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// The certificates that count no more, by their serial numbers. The authority signs the list and numbers it, so that anybody can hand it
/// on: a receiver takes it if the signature is right and the number higher than that of the list it has.
/// </summary>
/// <param name="Number">Number of the list, 1 for the first one.</param>
/// <param name="Revoked">Each serial number with who held the certificate.</param>
public sealed record Revocations(long Number, IReadOnlyDictionary<string, string> Revoked)
{
    public static readonly Revocations None = new(0, new Dictionary<string, string>());

    // A list is signed with this in front, so that the signature fits nothing else that the authority may sign.
    private const string Purpose = "elastic revocations 1\n";

    /// <summary>A list is sent to nodes in one message; this is some nine hundred certificates that have not expired.</summary>
    public const int MostCharacters = 56 << 10;

    // Quotes in texts as \", not as \u0022: one list is a text inside of the other.
    private static readonly JsonSerializerOptions Short = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The list with one more certificate.</summary>
    public Revocations With(string serial, string holder) =>
        new(Number + 1, new Dictionary<string, string>(Revoked) { [serial] = holder });

    /// <summary>The list without certificates that need not be in it, since they have expired.</summary>
    public Revocations Without(IEnumerable<string> serials) =>
        this with { Revoked = Revoked.Where(r => !serials.Contains(r.Key)).ToDictionary() };

    /// <summary>The signed text.</summary>
    /// <exception cref="ElasticException">The list is too long to be handed on.</exception>
    public string Signed(CertificateAuthority authority)
    {
        ArgumentNullException.ThrowIfNull(authority);
        var list = JsonSerializer.Serialize(new { number = Number, revoked = Revoked }, Short);
        var text = JsonSerializer.Serialize(new
        {
            list,
            signature = Convert.ToBase64String(authority.Sign(Encoding.UTF8.GetBytes(Purpose + list))),
        }, Short);
        return text.Length <= MostCharacters ? text : throw new ElasticException(
            $"the list of revoked certificates is full with {Revoked.Count - 1}: wait until some of them expire, "
            + "or make a new authority (elastic certs init --certs DIR) and give its certificates to all machines");
    }

    /// <summary>Reads a signed text.</summary>
    /// <exception cref="ElasticException">It is none, or another authority's.</exception>
    public static Revocations Read(string text, X509Certificate2 authority)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(authority);
        try
        {
            if (text.Length > MostCharacters)
                throw new FormatException($"it has more than {MostCharacters} characters");
            using var outer = JsonDocument.Parse(text);
            var list = outer.RootElement.GetProperty("list").GetString()!;
            using var key = authority.GetECDsaPublicKey() ?? throw new FormatException("the authority has another kind of key");
            if (!key.VerifyData(
                Encoding.UTF8.GetBytes(Purpose + list), Convert.FromBase64String(outer.RootElement.GetProperty("signature").GetString()!),
                HashAlgorithmName.SHA256))
                throw new FormatException("it is not signed by this cluster's authority");
            using var inner = JsonDocument.Parse(list);
            return new Revocations(
                inner.RootElement.GetProperty("number").GetInt64(),
                inner.RootElement.GetProperty("revoked").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString() ?? ""));
        }
        catch (Exception e) when (e is JsonException or FormatException or KeyNotFoundException or InvalidOperationException
            or ArgumentException or CryptographicException)
        {
            throw new ElasticException($"the list of revoked certificates cannot be used ({e.Message})", e);
        }
    }
}
