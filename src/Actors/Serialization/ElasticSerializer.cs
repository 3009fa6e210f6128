using Akka.Actor;
using Hyperion;

namespace Elastic.Actors.Serialization;

/// <summary>
/// Elastic's messages and events through Hyperion, with the closed list of <see cref="AllowedTypes"/>: a payload that names any
/// other type is refused before anything of that type is made.
/// </summary>
public sealed class ElasticSerializer(ExtendedActorSystem system) : Akka.Serialization.Serializer(system)
{
    private readonly Hyperion.Serializer _hyperion = new(new SerializerOptions(
        versionTolerance: true, preserveObjectReferences: false, surrogates: [], serializerFactories: [], knownTypes: [],
        ignoreISerializable: true, packageNameOverrides: [], disallowUnsafeTypes: true, typeFilter: new AllowedTypes()));

    /// <summary>Is told of each message or event that is written, and its bytes: for who measures. Called on any thread.</summary>
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
        using var stream = new MemoryStream(bytes);
        return _hyperion.Deserialize<object>(stream);
    }
}
