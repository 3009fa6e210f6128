using System.Text.Json.Nodes;
using Elastic.Host.Generation;

namespace Elastic.Host.Evaluation;

/// <summary>Which model an evaluation was of.</summary>
internal static class ScoredModel
{
    /// <summary>The line above a table.</summary>
    public static string Line(TextModel model) =>
        (model.Round is { } round ? $"run {model.Name}   round {round}" : $"model {model.Name}") + $"   {model.Fingerprint[..12]}";

    /// <summary>What the JSON begins with.</summary>
    public static JsonObject Json(TextModel model)
    {
        var json = new JsonObject { [model.Round is null ? "model" : "run"] = model.Name };
        if (model.Round is { } round)
            json["round"] = round;
        json["fingerprint"] = model.Fingerprint;
        json["context"] = model.Settings.Context;
        return json;
    }

    /// <summary>JSON has no infinity.</summary>
    public static JsonValue? Finite(double number) => double.IsFinite(number) ? JsonValue.Create(number) : null;
}
