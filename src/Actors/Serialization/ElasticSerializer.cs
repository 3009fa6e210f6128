using System.Collections.Concurrent;
using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Event;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages.Wire;
using Elastic.Storage;
using Hyperion.Internal;

namespace Elastic.Actors.Serialization;

/// <summary>Elastic's messages on the wire (<see cref="WireCodec"/>), for Akka.</summary>
public sealed class ElasticSerializer(ExtendedActorSystem system) : Akka.Serialization.Serializer(system)
{
    /// <summary>Akka.Remote silently drops a message above its frame size. Elastic's stay far below it, or are refused here.</summary>
    public const int MostBytes = 120_000;

    // Older versions wrote events to the journal with this serializer. Their rows carry its id, so Akka asks it to read them.
    private const string OldEvents = "Elastic.Messages.Runs.RunEvent+";

    // Texts and lists below what the receiver allows fit in so many bytes.
    private const int ChecksAbove = 64 << 10;

    // Types that were reported: a message that cannot be sent is tried again and again. Any thread writes messages.
    private readonly ConcurrentDictionary<Type, bool> _reported = [];
    private readonly WireCodec _codec = new(typeof(WorkKind).Assembly);

    /// <summary>Called with each message that is written, and its bytes, for measurements. Called on any thread.</summary>
    internal static Action<object, int>? Written { get; set; }

    /// <inheritdoc/>
    public override int Identifier => 4053;

    /// <inheritdoc/>
    public override bool IncludeManifest => false;

    /// <inheritdoc/>
    public override byte[] ToBinary(object obj)
    {
        var bytes = _codec.Write(obj);
        Written?.Invoke(obj, bytes.Length);
        return WhyNot(obj, bytes.Length) is { } why ? throw Refusal(obj, why) : bytes;
    }

    // The receiver checks each text and each list; only a large message can fail there.
    private static string? WhyNot(object obj, int bytes)
    {
        if (bytes > MostBytes)
            return $"it has {bytes} bytes, and at most {MostBytes} can be sent";
        if (bytes <= ChecksAbove)
            return null;
        try
        {
            WireCheck.Demand(obj);
            return null;
        }
        catch (InvalidDataException e)
        {
            return e.Message;
        }
    }

    // Akka drops the message and keeps the connection only for this type of exception.
    private SerializationException Refusal(object obj, string why)
    {
        var unsendable = new UnsendableMessage(obj, why);
        if (_reported.TryAdd(obj.GetType(), true))
            system.Log.Error("{0}", unsendable);
        system.EventStream.Publish(unsendable);
        return new SerializationException(unsendable.ToString());
    }

    /// <inheritdoc/>
    public override object FromBinary(byte[] bytes, Type type)
    {
        try
        {
            return _codec.Read(bytes);
        }
        catch (UserEvilDeserializationException e) when (e.ToString().Contains(OldEvents, StringComparison.Ordinal))
        {
            throw new ElasticException(JournalRows.OldFormat, e);
        }
    }
}
