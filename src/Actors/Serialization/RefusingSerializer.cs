using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Configuration;
using Akka.Serialization;

namespace Elastic.Actors.Serialization;

/// <summary>
/// Stands in for a serializer of Akka that nothing of Elastic needs, under its number. Akka's JSON makes whatever type a payload names,
/// others parse configurations, or make actors. This one refuses both ways, so that a message without a serializer of its own is an error
/// at the sender, and the receiver drops it.
/// </summary>
/// <param name="config">Has the number as <c>identifier</c>, and what it is <c>about</c>.</param>
public sealed class RefusingSerializer(ExtendedActorSystem system, Config config) : SerializerWithStringManifest(system)
{
    private readonly Gate _gate = new(system);
    private readonly string _what = $"a message of Akka's {config.GetString("about")}";

    /// <inheritdoc/>
    public override int Identifier { get; } = config.GetInt("identifier");

    /// <inheritdoc/>
    public override string Manifest(object o) => throw NotSent(o);

    /// <inheritdoc/>
    public override byte[] ToBinary(object obj) => throw NotSent(obj);

    /// <inheritdoc/>
    public override object FromBinary(byte[] bytes, string manifest) =>
        throw _gate.Refusal(_what, "nothing here is read with it");

    private static SerializationException NotSent(object? o) =>
        new($"{o?.GetType()} is not one of Elastic's messages: it must implement IWireMessage to travel");
}
