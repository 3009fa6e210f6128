using System.Text.Json;
using Elastic.Coordination;
using Elastic.Foundation;

namespace Elastic.Storage;

/// <summary>
/// A run's state as a snapshot keeps it: a short-cut past the events of a long run. Where one cannot be read, the journal is replayed.
/// </summary>
/// <remarks>
/// A snapshot whose fields are not exactly those of today's <see cref="RunState"/> is not read. When <see cref="Run.Apply"/> is changed to
/// fold old events into another state with the same fields, the manifest's number must go up, so that old snapshots are passed over.
/// </remarks>
public static class SnapshotCodec
{
    public const string Manifest = Name + "1";

    private const string Name = "run-state.";

    /// <summary>True for a snapshot's manifest, of whatever version; false for an event's.</summary>
    public static bool IsManifest(string manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return manifest.StartsWith(Name, StringComparison.Ordinal);
    }

    /// <returns>JSON in UTF-8.</returns>
    public static byte[] Write(RunState state) => JsonSerializer.SerializeToUtf8Bytes(state, JournalJson.Snapshots);

    /// <exception cref="ElasticException">It is of another version, or damaged.</exception>
    public static RunState Read(string manifest, ReadOnlySpan<byte> payload)
    {
        if (manifest != Manifest)
            throw new ElasticException(
                $"a snapshot \"{manifest}\" is of another version of Elastic (here it is \"{Manifest}\"): the journal is replayed instead");
        try
        {
            return JsonSerializer.Deserialize<RunState>(payload, JournalJson.Snapshots) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new ElasticException($"a snapshot cannot be read ({e.Message}): the journal is replayed instead", e);
        }
    }
}
