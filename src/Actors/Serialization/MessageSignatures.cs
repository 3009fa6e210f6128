using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages;

namespace Elastic.Actors.Serialization;

/// <summary>
/// Signs this process's messages and looks at the signatures of others', where nodes have certificates: Akka's addresses are claims, so a
/// message counts for what its signer may say (<see cref="ISaidByNode"/>, <see cref="ISaidBySeed"/>), wherever it came from.
/// </summary>
/// <remarks>
/// A signed message is a byte 2, the certificate and the signature, each behind its length (2 bytes, little-endian), and the message. The
/// signature is also over whom the message is for, which is not sent: whoever has got a message cannot have it count with somebody else.
/// Any thread reads and writes messages.
/// </remarks>
internal sealed class MessageSignatures(Credentials credentials)
{
    private const byte Version = 2;
    private const int LengthBytes = 2;
    private const int MostSigners = 4096;

    // A signer that was looked at is trusted for so long; a revocation that this process learns of counts at once.
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(10);

    // The signature fits nothing else that a node's key signs.
    private static ReadOnlySpan<byte> Purpose => "elastic message 2\n"u8;

    private readonly ConcurrentDictionary<Digest, Signer> _signers = [];

    /// <param name="addressee">"system@host:port".</param>
    public byte[] Sign(byte[] message, string addressee)
    {
        var certificate = credentials.CertificateBytes.Span;
        var signature = credentials.Sign(Signed(message, addressee));
        var signed = new byte[1 + LengthBytes + certificate.Length + LengthBytes + signature.Length + message.Length];
        signed[0] = Version;
        var rest = Put(Put(signed.AsSpan(1), certificate), signature);
        message.CopyTo(rest);
        return signed;
    }

    /// <summary>The message within, and who has signed it.</summary>
    /// <param name="addressee">This process: "system@host:port".</param>
    /// <exception cref="InvalidDataException">Nobody of this cluster has, or for another process.</exception>
    public (byte[] Message, Identity Signer) Open(byte[] signed, string addressee)
    {
        var rest = signed.AsSpan();
        if (rest.IsEmpty || rest[0] != Version)
            throw new InvalidDataException("it is not signed");
        rest = rest[1..];
        var certificate = Take(ref rest);
        var signature = Take(ref rest);
        var signer = SignerOf(certificate);
        return signer.Key.VerifyData(Signed(rest, addressee), signature, HashAlgorithmName.SHA256)
            ? (rest.ToArray(), signer.Identity)
            : throw new InvalidDataException($"the signature is not that of {signer.Identity} for {addressee}");
    }

    // No address has the end of a line in it.
    private static byte[] Signed(ReadOnlySpan<byte> message, string addressee) =>
        [.. Purpose, .. Encoding.UTF8.GetBytes(addressee), (byte)'\n', .. message];

    /// <summary>Looks whether somebody may say what a message says.</summary>
    /// <exception cref="InvalidDataException">Not this signer.</exception>
    public static void Demand(object message, Identity signer)
    {
        if (!signer.IsNode)
            throw new InvalidDataException($"a node does not listen to {signer}");
        if (message is ISaidByNode said && said.Node.Value != signer.Name)
            throw new InvalidDataException($"it speaks for {said.Node}, and {signer} has signed it");
        if (message is ISaidBySeed && signer.Role != Role.Seed)
            throw new InvalidDataException($"only a seed says that, and {signer} has signed it");
    }

    private Signer SignerOf(ReadOnlySpan<byte> bytes)
    {
        var (name, now) = (Digest.Of(bytes), credentials.Now);
        if (_signers.TryGetValue(name, out var known) && now - known.Looked < LookAgain && known.List == credentials.Revocations.Number)
            return known;
        try
        {
            var list = credentials.Revocations.Number;
            using var certificate = X509CertificateLoader.LoadCertificate(bytes);
            if (credentials.Problem(certificate, out var identity) is { } problem)
                throw new InvalidDataException($"it is signed with {problem}");
            if (_signers.Count > MostSigners)
                _signers.Clear();
            return _signers[name] = new Signer(
                identity!, certificate.GetECDsaPublicKey() ?? throw new CryptographicException("no ECDSA key"), now, list);
        }
        catch (CryptographicException e)
        {
            throw new InvalidDataException("it is signed with what is no certificate", e);
        }
    }

    private static Span<byte> Put(Span<byte> into, ReadOnlySpan<byte> part)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(into, (ushort)part.Length);
        part.CopyTo(into[LengthBytes..]);
        return into[(LengthBytes + part.Length)..];
    }

    private static ReadOnlySpan<byte> Take(ref Span<byte> rest)
    {
        if (rest.Length < LengthBytes || BinaryPrimitives.ReadUInt16LittleEndian(rest) is var length && rest.Length < LengthBytes + length)
            throw new InvalidDataException("it is cut off");
        var part = rest.Slice(LengthBytes, length);
        rest = rest[(LengthBytes + length)..];
        return part;
    }

    // Old keys are left to the finalizer: another thread may be verifying with one.
    private sealed record Signer(Identity Identity, ECDsa Key, DateTimeOffset Looked, long List);
}
