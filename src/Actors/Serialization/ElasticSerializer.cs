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
    /// <summary>Above Akka.Remote's frame size a message is dropped without a word; ours stay far below it.</summary>
    public const int MostBytes = 120_000;

    // Until the journal had a format of its own, events went through this serializer. Their rows have its id, so it is asked for them.
    private const string OldEvents = "Elastic.Messages.Runs.RunEvent+";

    private readonly WireCodec _codec = new(typeof(WorkKind).Assembly);

    /// <summary>Is told of each message that is written, and its bytes: for who measures. Called on any thread.</summary>
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
            : throw new InvalidDataException($"a {obj.GetType().Name} of {bytes.Length} bytes is too large for the control plane: at most {MostBytes} bytes can be sent");
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
