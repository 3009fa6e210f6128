using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>Keys of the journal's rows, and the serializers that wrote them.</summary>
public static class JournalRows
{
    /// <summary>The serializer id of events and snapshots that <see cref="EventCodec"/> and <see cref="SnapshotCodec"/> wrote.</summary>
    public const int Identifier = 4054;

    /// <summary>
    /// The serializer id of events before the journal had a format of its own: Hyperion's bytes, which depend on C# types.
    /// </summary>
    public const int OldIdentifier = 4053;

    /// <summary>What every run's persistence id begins with.</summary>
    public const string Prefix = "run-";

    /// <summary>The persistence id of a run's events.</summary>
    public static string KeyOf(RunId run) => $"{Prefix}{run}";

    /// <summary>What to do about a run whose events are in the old format.</summary>
    public const string OldFormat =
        "its journal was written by an older version of Elastic, and this version does not read it: " +
        "finish the run with the version that wrote it, " +
        "or start anew under another name or in another data directory";
}
