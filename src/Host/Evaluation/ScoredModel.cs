using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Host.Generation;

namespace Elastic.Host.Evaluation;

/// <summary>Which model an evaluation was of.</summary>
/// <param name="Name">Name of the run or the folder.</param>
/// <param name="Round">After which the run's checkpoint was taken; null for a folder's model.</param>
/// <param name="Context">Tokens that it sees at once.</param>
internal sealed record ScoredModel(string Name, int? Round, string Fingerprint, int Context)
{
    public static ScoredModel Of(TextModel model) =>
        new(model.Run?.Value ?? model.Name, model.Round, model.Fingerprint, model.Settings.Context);

    public static ScoredModel Of(EvaluatedCheckpoint checkpoint) => new(
        checkpoint.Run.Name.Value, checkpoint.Manifest.Version, checkpoint.Manifest.Fingerprint, checkpoint.Settings.Model.Context);

    /// <summary>The line above a table.</summary>
    public string Line => (Round is { } round ? $"run {Name}   round {round}" : $"model {Name}") + $"   {Fingerprint[..12]}";

    /// <summary>What the JSON begins with.</summary>
    public JsonObject Json()
    {
        var json = new JsonObject { [Round is null ? "model" : "run"] = Name };
        if (Round is { } round)
            json["round"] = round;
        json["fingerprint"] = Fingerprint;
        json["context"] = Context;
        return json;
    }
}
