using Akka.Actor;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages.Wire;
using Elastic.Storage;
using Hyperion.Internal;

namespace Elastic.Actors.Serialization;

/// <summary>Elastic's messages on the wire (<see cref="WireCodec"/>), for Akka.</summary>
public sealed class ElasticSerializer(ExtendedActorSystem system) : Akka.Serialization.Serializer(system)
{
    /// <summary>Akka.Remote silently drops a message above its frame size; Elastic's messages stay far below it.</summary>
    public const int MostBytes = 120_000;

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
        return bytes.Length <= MostBytes
            ? bytes
            : throw new InvalidDataException(
                $"a {obj.GetType().Name} of {bytes.Length} bytes is too large for the control plane: "
                + $"at most {MostBytes} bytes can be sent");
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
