using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Runs;

namespace Elastic.Storage;

/// <summary>
/// Events as the journal keeps them: a short manifest ("round-committed") and a payload of JSON. The one place that reads and writes them.
/// </summary>
/// <remarks>
/// Reading is tolerant: fields that the type does not have are ignored, and fields that an older journal lacks get their defaults. A field
/// that has no default must be there, so that a damaged event is refused and never folded.
/// </remarks>
public sealed class EventCodec
{
    private readonly Dictionary<string, EventKind> _byName;
    private readonly Dictionary<Type, EventKind> _byType;

    public EventCodec(IReadOnlyList<EventKind> kinds)
    {
        _byName = kinds.ToDictionary(k => k.Name, StringComparer.Ordinal);
        _byType = kinds.ToDictionary(k => k.Type);
    }

    /// <summary>The codec of all events.</summary>
    public static EventCodec Default { get; } = new(EventKind.All);

    public string ManifestOf(RunEvent e)
    {
        ArgumentNullException.ThrowIfNull(e);
        return KindOf(e).Manifest;
    }

    /// <returns>JSON in UTF-8, on one line.</returns>
    /// <exception cref="ElasticException">The event has no name, or an id or a digest in it is empty.</exception>
    public byte[] Write(RunEvent e)
    {
        ArgumentNullException.ThrowIfNull(e);
        try
        {
            return JsonSerializer.SerializeToUtf8Bytes(e, KindOf(e).Type, JournalJson.Events);
        }
        catch (JsonException x)
        {
            throw new ElasticException(
                $"an event \"{ManifestOf(e)}\" cannot be stored ({x.Message}): this is a bug, report it with log.txt", x);
        }
    }

    /// <exception cref="ElasticException">The manifest is unknown, or the payload lacks what the event needs.</exception>
    public RunEvent Read(string manifest, ReadOnlySpan<byte> payload)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var (kind, version) = KindOf(manifest);
        try
        {
            var e = version == kind.Version
                ? JsonSerializer.Deserialize(payload, kind.Type, JournalJson.Events)
                : Lift(kind, version, payload).Deserialize(kind.Type, JournalJson.Events);
            return (RunEvent?)e ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new ElasticException(
                $"an event \"{manifest}\" of the journal is damaged ({e.Message}): restore the journal's database from a copy", e);
        }
    }

    private static JsonObject Lift(EventKind kind, int version, ReadOnlySpan<byte> payload)
    {
        var json = JsonSerializer.Deserialize<JsonObject>(payload, JournalJson.Events) ?? throw new JsonException("it is null");
        return kind.UpCasters.Skip(version - 1).Aggregate(json, (older, upCast) => upCast(older));
    }

    private EventKind KindOf(RunEvent e) => _byType.TryGetValue(e.GetType(), out var kind)
        ? kind
        : throw new ElasticException(
            $"the event {e.GetType().Name} has no name in the journal: give it a line in {nameof(EventKind)}.{nameof(EventKind.All)}");

    private (EventKind Kind, int Version) KindOf(string manifest)
    {
        var (name, version) = manifest.LastIndexOf('.') is var dot and > 0
            && int.TryParse(manifest.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? (manifest[..dot], number)
            : (manifest, 1);
        return _byName.TryGetValue(name, out var kind) && version >= 1 && version <= kind.Version
            ? (kind, version)
            : throw new ElasticException(
                $"the journal has an event \"{manifest}\", which this version of Elastic does not know: " +
                "use the version that wrote it, or a newer one");
    }
}
