using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation.Certificates;

namespace Elastic.Host.Web;

/// <summary>
/// Sessions of browsers: texts that hold their end and are signed with a key that follows from the seed's token. So a session outlives the
/// process, counts at every seed with the same token, and ends for good with its time or with the token. Nothing is kept of it.
/// </summary>
internal sealed class Sessions
{
    /// <summary>A working day; then the token is shown again.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    private const int NonceBytes = 16;

    private readonly byte[] _key;
    private readonly TimeProvider _time;

    /// <param name="token">Null where clients show certificates: no session begins, and anti-forgery tokens end with the process.</param>
    public Sessions(SecretToken? token, TimeProvider time)
    {
        _time = time;
        _key = token is null ? RandomNumberGenerator.GetBytes(32) : Mac(Encoding.ASCII.GetBytes(token.Secret), "elastic session");
        // Browsers send a host's cookies to all of its ports: each token has a name of its own, and seeds of one machine do not disturb
        // each other.
        CookieName = $"elastic-session-{Convert.ToHexStringLower(Mac(_key, "name"))[..8]}";
    }

    /// <summary>The name of the session's cookie.</summary>
    public string CookieName { get; }

    /// <summary>Begins a session.</summary>
    public string Begin()
    {
        var text = string.Create(CultureInfo.InvariantCulture,
            $"{(_time.GetUtcNow() + Lifetime).ToUnixTimeSeconds()}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(NonceBytes))}");
        return $"{text}.{Sign("session", text)}";
    }

    /// <summary>True for a session that this or another seed with the same token has begun, and that has not ended.</summary>
    public bool IsValid(string session) =>
        session.Length < 200 && session.LastIndexOf('.') is > 0 and var end
        && Same(session[(end + 1)..], Sign("session", session[..end]))
        && long.TryParse(session.Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var ends)
        && ends > _time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>What requests that change something carry besides the session, or the certificate: no other site can read it.</summary>
    /// <param name="holder">The session, or who has shown the certificate.</param>
    public string AntiForgery(string holder) => Sign("anti-forgery", holder);

    /// <summary>Compares two secrets. How long it takes says nothing about them.</summary>
    public static bool Same(string one, string other) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(one), Encoding.UTF8.GetBytes(other));

    private string Sign(string what, string text) => Convert.ToHexStringLower(Mac(_key, $"{what} {text}"));

    private static byte[] Mac(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));
}
