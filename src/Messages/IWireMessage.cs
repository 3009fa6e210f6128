namespace Elastic.Messages;

/// <summary>
/// Marks what may travel between nodes. The serializer's closed allow-list is made of the types of this assembly that carry it, and of
/// what those are made of. Events never travel, and so do not carry it: the journal has a codec of its own.
/// </summary>
#pragma warning disable CA1040 // the mark is the point
public interface IWireMessage;
#pragma warning restore CA1040
