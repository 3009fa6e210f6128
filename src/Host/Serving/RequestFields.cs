using System.Globalization;
using System.Text.Json;
using Elastic.Foundation;
using Microsoft.AspNetCore.Http;

namespace Elastic.Host.Serving;

/// <summary>
/// The fields of a request, each with its bounds. A field that is null is as good as missing, and unknown ones are ignored.
/// </summary>
internal readonly struct RequestFields
{
    private readonly JsonElement _body;

    /// <exception cref="ApiException">The body is no object.</exception>
    public RequestFields(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object)
            throw new ApiException(StatusCodes.Status400BadRequest, "the body is no JSON object: send {\"prompt\": \"...\"}");
        _body = body;
    }

    /// <summary>The field; null where it is missing or null.</summary>
    public JsonElement? Find(string name) =>
        _body.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>A number within bounds.</summary>
    public double Number(string name, double otherwise, double least, double most)
    {
        if (Find(name) is not { } value)
            return otherwise;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= least && number <= most
            ? number
            : throw Wrong(name, value, string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}"));
    }

    /// <summary>A whole number within bounds; null where it is missing.</summary>
    public long? Integer(string name, long least, long most)
    {
        if (Find(name) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= least && number <= most
            ? number
            : throw Wrong(name, value, string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most}"));
    }

    /// <summary>True or false.</summary>
    public bool Flag(string name) => Find(name) is { } value && value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(name, value, "true or false"),
    };

    /// <summary>A text.</summary>
    public static string Text(string name, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String)
            throw Wrong(name, value, "a string");
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw ApiException.Invalid(name, $"{name} has half of a surrogate pair, which is no character: leave it out");
        }
    }

    /// <summary>A field that has another value than it may have.</summary>
    public static ApiException Wrong(string name, JsonElement value, string expected) =>
        ApiException.Invalid(name, $"{name} = {OneLine.Of(value.GetRawText(), 60)}: use {expected}");
}
