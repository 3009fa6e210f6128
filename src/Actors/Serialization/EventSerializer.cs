using System.Runtime.Serialization;
using Akka.Actor;
using Akka.Serialization;
using Elastic.Coordination;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Actors.Serialization;

/// <summary>Gives Akka the journal's codec: events and snapshots are stored in formats of their own, and never travel.</summary>
public sealed class EventSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    private readonly Gate _gate = new(system);

    /// <inheritdoc/>
    public override int Identifier => JournalRows.Identifier;

    /// <inheritdoc/>
    public override string Manifest(object o) => o switch
    {
        RunEvent e => EventCodec.Default.ManifestOf(e),
        RunState => SnapshotCodec.Manifest,
        _ => throw NotStored(o),
    };

    /// <inheritdoc/>
    public override byte[] ToBinary(object obj) => obj switch
    {
        RunEvent e => EventCodec.Default.Write(e),
        RunState state => SnapshotCodec.Write(state),
        _ => throw NotStored(obj),
    };

    /// <inheritdoc/>
    public override object FromBinary(byte[] bytes, string manifest)
    {
        _gate.DemandLocal("an event of a journal");
        return SnapshotCodec.IsManifest(manifest) ? SnapshotCodec.Read(manifest, bytes) : EventCodec.Default.Read(manifest, bytes);
    }

    private static SerializationException NotStored(object? o) => new(
        $"{o?.GetType()} is neither an event nor a snapshot: the journal does not keep it");
}
