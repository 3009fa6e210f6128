using System.Reflection;
using Hyperion;

namespace Elastic.Messages.Wire;

/// <summary>
/// Elastic's messages as bytes, by Hyperion, with the closed list of <see cref="AllowedTypes"/>: a payload that names any other type is
/// refused before anything of that type is made, and what was made is checked, since Hyperion skips constructors.
/// </summary>
/// <param name="others">Assemblies with messages of their own, besides Messages.</param>
public sealed class WireCodec(params IEnumerable<Assembly> others)
{
    private readonly Serializer _hyperion = new(new SerializerOptions(
        versionTolerance: true, preserveObjectReferences: false, surrogates: [], serializerFactories: [], knownTypes: [],
        ignoreISerializable: true, packageNameOverrides: [], disallowUnsafeTypes: true, typeFilter: new AllowedTypes(others)));

    public byte[] Write(object message)
    {
        using var stream = new MemoryStream();
        _hyperion.Serialize(message, stream);
        return stream.ToArray();
    }

    /// <exception cref="InvalidDataException">The message holds what its types do not allow.</exception>
    public object Read(byte[] bytes)
    {
        using var stream = new MemoryStream(bytes);
        var message = _hyperion.Deserialize<object>(stream);
        WireCheck.Demand(message);
        return message;
    }
}
