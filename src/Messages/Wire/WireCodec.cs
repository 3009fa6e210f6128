using System.Reflection;
using Hyperion;

namespace Elastic.Messages.Wire;

/// <summary>
/// Elastic's messages as bytes, by Hyperion, with the closed list of <see cref="AllowedTypes"/>: a payload that names any other type is
/// refused before anything of that type is made, and what was made is checked, since Hyperion skips constructors. Hyperion also allocates
/// what a length in the payload says: <see cref="WireScan"/> compares lengths with the payload before.
/// </summary>
public sealed class WireCodec
{
    private readonly AllowedTypes _allowed;
    private readonly Serializer _hyperion;

    /// <param name="others">Assemblies with messages of their own, besides Messages.</param>
    public WireCodec(params IEnumerable<Assembly> others)
    {
        _allowed = new AllowedTypes(others);
        // With version tolerance each value names its type, by which WireScan reads.
        _hyperion = new Serializer(new SerializerOptions(
            versionTolerance: true, preserveObjectReferences: false, surrogates: [], serializerFactories: [], knownTypes: [],
            ignoreISerializable: true, packageNameOverrides: [], disallowUnsafeTypes: true, typeFilter: _allowed));
    }

    public byte[] Write(object message)
    {
        using var stream = new MemoryStream();
        _hyperion.Serialize(message, stream);
        return stream.ToArray();
    }

    /// <exception cref="InvalidDataException">The message holds what its types do not allow.</exception>
    public object Read(byte[] bytes)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        WireScan.Demand(bytes, _allowed);
        using var stream = new MemoryStream(bytes);
        var message = _hyperion.Deserialize<object>(stream);
        WireCheck.Demand(message);
        return message;
    }
}
