using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// The certificates that count no more, by their serial numbers. The authority signs the list and numbers it, so that anybody can hand it
/// on: a receiver takes it if the signature is right and the number higher than that of the list it has.
/// </summary>
/// <param name="Number">Of the list, 1 for the first one.</param>
/// <param name="Revoked">Each serial number with who held the certificate.</param>
public sealed record Revocations(long Number, IReadOnlyDictionary<string, string> Revoked)
{
    public static readonly Revocations None = new(0, new Dictionary<string, string>());

    // A list is signed with this in front, so that the signature fits nothing else that the authority may sign.
    private const string Purpose = "elastic revocations 1\n";
    private const int MostBytes = 1 << 20;

    /// <summary>The list with one more certificate.</summary>
    public Revocations With(string serial, string holder) =>
        new(Number + 1, new Dictionary<string, string>(Revoked) { [serial] = holder });

    /// <summary>The signed text.</summary>
    public string Signed(CertificateAuthority authority)
    {
        ArgumentNullException.ThrowIfNull(authority);
        var list = JsonSerializer.Serialize(new { number = Number, revoked = Revoked });
        return JsonSerializer.Serialize(new
        {
            list,
            signature = Convert.ToBase64String(authority.Sign(Encoding.UTF8.GetBytes(Purpose + list))),
        });
    }

    /// <summary>Reads a signed text.</summary>
    /// <exception cref="ElasticException">It is none, or another authority's.</exception>
    public static Revocations Read(string text, X509Certificate2 authority)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(authority);
        try
        {
            if (text.Length > MostBytes)
                throw new FormatException($"it has more than {MostBytes} characters");
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
