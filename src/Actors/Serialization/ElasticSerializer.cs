using Akka.Actor;
using Elastic.Foundation;
using Elastic.Storage;
using Hyperion;
using Hyperion.Internal;

namespace Elastic.Actors.Serialization;

/// <summary>
/// Elastic's messages through Hyperion, with the closed list of <see cref="AllowedTypes"/>: a payload that names any
/// other type is refused before anything of that type is made.
/// </summary>
public sealed class ElasticSerializer(ExtendedActorSystem system) : Akka.Serialization.Serializer(system)
{
    // Until the journal had a format of its own, events went through this serializer. Their rows have its id, so it is asked for them.
    private const string OldEvents = "Elastic.Messages.Runs.RunEvent+";

    private readonly Hyperion.Serializer _hyperion = new(new SerializerOptions(
        versionTolerance: true, preserveObjectReferences: false, surrogates: [], serializerFactories: [], knownTypes: [],
        ignoreISerializable: true, packageNameOverrides: [], disallowUnsafeTypes: true, typeFilter: new AllowedTypes()));

    /// <summary>Is told of each message that is written, and its bytes: for who measures. Called on any thread.</summary>
    internal static Action<object, int>? Written { get; set; }

    /// <inheritdoc/>
    public override int Identifier => 4053;

    /// <inheritdoc/>
    public override bool IncludeManifest => false;

    /// <inheritdoc/>
    public override byte[] ToBinary(object obj)
    {
        using var stream = new MemoryStream();
        _hyperion.Serialize(obj, stream);
        Written?.Invoke(obj, (int)stream.Length);
        return stream.ToArray();
    }

    /// <inheritdoc/>
    public override object FromBinary(byte[] bytes, Type type)
    {
        try
        {
            using var stream = new MemoryStream(bytes);
            return _hyperion.Deserialize<object>(stream);
        }
        catch (UserEvilDeserializationException e) when (e.ToString().Contains(OldEvents, StringComparison.Ordinal))
        {
            throw new ElasticException(JournalRows.OldFormat, e);
        }
    }
}
