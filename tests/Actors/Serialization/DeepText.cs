using System.Collections;
using System.Globalization;
using System.Reflection;

namespace Elastic.Actors.Tests.Serialization;

/// <summary>
/// Everything in a message as text, with all types: records compare their arrays by reference, and JSON shows of a field what its declared
/// type has.
/// </summary>
internal static class DeepText
{
    public static string Of(object? value) => value switch
    {
        null => "null",
        string text => $"\"{text}\"",
        Enum or IFormattable => $"{value.GetType()} {Convert.ToString(value, CultureInfo.InvariantCulture)}",
        IEnumerable many => $"{value.GetType()} [{string.Join(", ", many.Cast<object?>().Select(Of))}]",
        _ when value.GetType().IsPrimitive => $"{value}",
        _ => $"{value.GetType()} {{{string.Join(", ", Properties(value).Select(p => $"{p.Name} = {Of(p.GetValue(value))}"))}}}",
    };

    private static IEnumerable<PropertyInfo> Properties(object value) =>
        value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.GetIndexParameters().Length == 0);
}
