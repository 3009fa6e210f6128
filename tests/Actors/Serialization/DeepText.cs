using System.Text.Json;

namespace Elastic.Actors.Tests.Serialization;

/// <summary>Everything in a message as text, its type first: records compare their arrays by reference.</summary>
internal static class DeepText
{
    public static string Of(object message) => $"{message.GetType()} {JsonSerializer.Serialize(message, message.GetType())} {message}";
}
