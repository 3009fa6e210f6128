using System.Text.Json;
using System.Text.Json.Nodes;
using Elastic.Storage;

namespace Elastic.Host.Display;

/// <summary>Observations as JSON objects for scripts: when, which kind, and the fields of the kind.</summary>
internal static class ObservationJson
{
    public static JsonObject Of(StoredObservation observed)
    {
        var json = new JsonObject { ["id"] = observed.Id, ["at"] = observed.At, ["observed"] = observed.Kind };
        try
        {
            foreach (var (name, value) in JsonNode.Parse(observed.Payload) as JsonObject ?? [])
                json.TryAdd(name, value?.DeepClone());
        }
        catch (JsonException)
        {
            // A row that was damaged still says when, and of which kind it was.
        }

        return json;
    }
}
