namespace Elastic.Actors.Serialization;

/// <summary>
/// A message that cannot travel. Published on the actor system's event stream by the serializer, which alone knows a message's size: Akka
/// tells the sender of a message nothing of what becomes of it.
/// </summary>
internal sealed record UnsendableMessage(object Message, string Why)
{
    /// <inheritdoc/>
    public override string ToString() => $"a {Message.GetType().Name} cannot be sent: {Why}";
}
