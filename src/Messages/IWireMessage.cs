namespace Elastic.Messages;

/// <summary>
/// Marks what may travel between nodes. The serializer's closed allow-list consists of the marked types of Elastic's own assemblies and the
/// types of their properties. Events never travel, so they are not marked: the journal has a codec of its own.
/// </summary>
#pragma warning disable CA1040 // the mark is the point
public interface IWireMessage;
#pragma warning restore CA1040
