using System.Text.Json.Nodes;

namespace Elastic.Host.Display;

/// <summary>Numbers in what programs read.</summary>
internal static class JsonNumber
{
    /// <summary>JSON has neither NaN nor infinity: such a number, as one that is not known, is null.</summary>
    public static JsonNode? Finite(double? number) => number is { } n && double.IsFinite(n) ? n : null;
}
