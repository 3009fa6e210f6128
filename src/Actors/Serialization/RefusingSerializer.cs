using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Configuration;

namespace Elastic.Actors.Serialization;

/// <summary>
/// Replaces Akka's JSON serializer (id 1), which makes whatever type an incoming payload names. This one refuses both ways, so
/// that a message without a serializer of its own is an error at the sender, and the receiver drops it.
/// </summary>
public sealed class RefusingSerializer : Akka.Serialization.Serializer
{
    public RefusingSerializer(ExtendedActorSystem system) : base(system) { }

    // Akka looks for this constructor when the serializer has settings.
    public RefusingSerializer(ExtendedActorSystem system, Config config) : base(system) => _ = config;

    /// <inheritdoc/>
    public override int Identifier => 1;

    /// <inheritdoc/>
    public override bool IncludeManifest => true;

    /// <inheritdoc/>
    public override byte[] ToBinary(object obj) =>
        throw new SerializationException($"{obj?.GetType()} is not one of Elastic's messages: it must implement IWireMessage to travel");

    /// <inheritdoc/>
    public override object FromBinary(byte[] bytes, Type type) =>
        throw new SerializationException($"a payload that asks for {type} is refused: JSON is not accepted");
}
