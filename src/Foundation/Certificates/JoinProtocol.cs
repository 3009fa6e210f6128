using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Elastic.Foundation.Certificates;

/// <summary>
/// What a machine that wants a certificate and a seed say to each other, each a length of four bytes and JSON: the seed greets, the
/// machine asks, the seed answers and closes. The machine has looked at the seed's certificate before it asks.
/// </summary>
internal static class JoinProtocol
{
    /// <summary>The most bytes of a greeting and of a request.</summary>
    public const int MostRequestBytes = 8 << 10;

    /// <summary>An answer holds the list of revoked certificates, too.</summary>
    public const int MostAnswerBytes = 128 << 10;

    /// <summary>The time for the whole conversation.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        MaxDepth = 8,
    };

    public static async Task WriteAsync<T>(Stream stream, T message, CancellationToken cancel)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(message, Json);
        var frame = new byte[sizeof(int) + json.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, json.Length);
        json.CopyTo(frame, sizeof(int));
        await stream.WriteAsync(frame, cancel);
        await stream.FlushAsync(cancel);
    }

    /// <exception cref="InvalidDataException">It is longer than allowed, or something else.</exception>
    /// <exception cref="IOException">The connection ended before the message did.</exception>
    public static async Task<T> ReadAsync<T>(Stream stream, int mostBytes, CancellationToken cancel)
    {
        var head = new byte[sizeof(int)];
        await stream.ReadExactlyAsync(head, cancel);
        var length = BinaryPrimitives.ReadInt32BigEndian(head);
        // Before there is room for it.
        if (length <= 0 || length > mostBytes)
            throw new InvalidDataException($"a message of {(uint)length} bytes: at most {mostBytes} are allowed");
        var json = new byte[length];
        await stream.ReadExactlyAsync(json, cancel);
        try
        {
            return JsonSerializer.Deserialize<T>(json, Json) ?? throw new InvalidDataException("an empty message");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"a message that is no JSON ({e.Message})", e);
        }
    }
}

/// <summary>The seed's first message.</summary>
/// <param name="Authority">The authority's certificate, PEM: what a token pins.</param>
/// <param name="Busy">The seed serves too many at the moment, and hangs up: try again.</param>
internal sealed record JoinGreeting(string Authority, bool Busy);

/// <summary>What a machine asks for. One that has shown a certificate has it renewed, and says no more than names.</summary>
/// <param name="Token">The secret of a join token.</param>
/// <param name="Role">The role that the machine wants.</param>
/// <param name="Name">The name that the machine wants: a node's id.</param>
/// <param name="Key">Its public key, SubjectPublicKeyInfo in Base64.</param>
/// <param name="Names">
/// The names that a seed asks for: the host names and addresses under which browsers reach it; those to add where it is renewed. It gets
/// those of them that <see cref="CertificateNames.OwnOf"/> says, and those that its token was made for.
/// </param>
internal sealed record JoinRequest(
    string? Token = null, string? Role = null, string? Name = null, string? Key = null, string?[]? Names = null)
{
    /// <summary>The request without the secret: texts of records reach logs.</summary>
    public override string ToString() => $"request of {OneLine.Of($"{Role} {Name}", 100)}";
}

/// <summary>The answer.</summary>
/// <param name="Certificate">PEM; null where it is refused.</param>
/// <param name="Revocations">The signed list of revoked certificates; null where nothing was revoked.</param>
/// <param name="Problem">Why it is refused.</param>
/// <param name="Elsewhere">True where another seed may do it: this one has not the authority's key.</param>
internal sealed record JoinAnswer(string? Certificate, string? Revocations, string? Problem, bool Elsewhere)
{
    public static JoinAnswer Refusal(string problem, bool elsewhere = false) => new(null, null, problem, elsewhere);
}
