using System.Collections.Concurrent;
using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Event;
using Akka.Serialization;
using Elastic.Actors.Remoting;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages.Wire;
using Elastic.Storage;
using Hyperion.Internal;

namespace Elastic.Actors.Serialization;

/// <summary>Elastic's messages on the wire (<see cref="WireCodec"/>), for Akka.</summary>
public sealed class ElasticSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    /// <summary>
    /// No message is longer: what may be longer comes in parts. Akka.Remote would drop a message above its frame size, 128,000 bytes, and
    /// say so in a log only.
    /// </summary>
    public const int MostBytes = 64 << 10;

    // Older versions wrote events to the journal with this serializer. Their rows carry its id, so Akka asks it to read them.
    private const string OldEvents = "Elastic.Messages.Runs.RunEvent+";

    private const string What = "a message of Elastic";

    // Types that were reported: a message that cannot be sent is tried again and again. Any thread writes messages.
    private readonly ConcurrentDictionary<Type, bool> _reported = [];
    private readonly WireCodec _codec = new(typeof(WorkKind).Assembly);
    private readonly Gate _gate = new(system);
    private readonly MessageSignatures? _signatures =
        TransportSetup.Of(system).Credentials is { } credentials ? new MessageSignatures(credentials) : null;

    /// <summary>Called with each message that is written, and its bytes, for measurements. Called on any thread.</summary>
    internal static Action<object, int>? Written { get; set; }

    /// <inheritdoc/>
    public override int Identifier => 4053;

    /// <inheritdoc/>
    public override string Manifest(object o) => "";                   // the bytes name the type

    /// <inheritdoc/>
    public override byte[] ToBinary(object obj)
    {
        var bytes = _codec.Write(obj);
        if (_signatures is not null)
            bytes = _signatures.Sign(bytes, OtherEnd.Addressee);
        Written?.Invoke(obj, bytes.Length);
        if (bytes.Length <= MostBytes)
            return bytes;
        // Akka drops the message and keeps the connection only for this type of exception.
        var unsendable = new UnsendableMessage(obj, $"it has {bytes.Length} bytes, and at most {MostBytes} can be sent");
        if (_reported.TryAdd(obj.GetType(), true))
            system.Log.Error("{0}", unsendable);
        system.EventStream.Publish(unsendable);
        throw new SerializationException(unsendable.ToString());
    }

    /// <inheritdoc/>
    public override object FromBinary(byte[] bytes, string manifest)
    {
        if (_gate.DemandMember(What) is not { } from)
            return Read(bytes);
        object message;
        try
        {
            message = _signatures is null ? Read(bytes) : ReadSigned(bytes, _signatures);
        }
        catch (Exception e)
        {
            throw _gate.Refusal(What, e);
        }

        return SenderRules.Problem(message, from, _gate.MaySupervise(from)) is { } why
            ? throw _gate.Refusal($"a {message.GetType().Name}", new RefusedException(why))
            : message;
    }

    private object ReadSigned(byte[] bytes, MessageSignatures signatures)
    {
        var (content, signer) = signatures.Open(bytes, system.Provider.DefaultAddress.HostPort());
        var message = Read(content);
        MessageSignatures.Demand(message, signer);
        return message;
    }

    private object Read(byte[] bytes)
    {
        try
        {
            return _codec.Read(bytes);
        }
        catch (UserEvilDeserializationException e) when (e.BadTypeString?.Contains(OldEvents, StringComparison.Ordinal) is true)
        {
            throw new ElasticException(JournalRows.OldFormat, e);
        }
    }
}
