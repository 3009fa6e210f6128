using Akka.Actor;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Wire;
using Elastic.Messages.Work;
using Elastic.Storage;
using Hyperion.Internal;

namespace Elastic.Actors.Serialization;

/// <summary>
/// A message that was too large to be sent. Published to the actor system's events, because nobody waits for what Akka.Remote serializes:
/// the person at the process is told, and the run that it belongs to fails.
/// </summary>
internal sealed record UnsentMessage(object Message, int Bytes) : INoSerializationVerificationNeeded
{
    public string Why =>
        $"a {Message.GetType().Name} of {Bytes} bytes cannot be sent: the control plane takes {ElasticSerializer.MostBytes} bytes at most; "
        + "this is a defect of Elastic, please report it";

    /// <summary>The run that the message belongs to; null where it belongs to none.</summary>
    public RunId? Run => Message switch
    {
        NodeCommand command => command.RunId,
        WorkOrder order => new RunId(order.Job.Value),
        _ => null,
    };
}

/// <summary>Elastic's messages on the wire (<see cref="WireCodec"/>), for Akka.</summary>
public sealed class ElasticSerializer(ExtendedActorSystem system) : Akka.Serialization.Serializer(system)
{
    /// <summary>
    /// No message is longer: what may be longer comes in parts. Akka.Remote would drop a message above its frame size, 128,000 bytes, and
    /// say so in a log only.
    /// </summary>
    public const int MostBytes = 64 << 10;

    // Older versions wrote events to the journal with this serializer. Their rows carry its id, so Akka asks it to read them.
    private const string OldEvents = "Elastic.Messages.Runs.RunEvent+";

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
        if (bytes.Length <= MostBytes)
            return bytes;
        var unsent = new UnsentMessage(obj, bytes.Length);
        system.EventStream.Publish(unsent);
        throw new InvalidDataException(unsent.Why);
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
