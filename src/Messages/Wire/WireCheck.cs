using System.Collections.Concurrent;
using System.Reflection;
using Elastic.Foundation;

namespace Elastic.Messages.Wire;

/// <summary>
/// Checks a message that was made without its constructors: identifiers and digests are valid, enumerations have one of their values,
/// required fields are present, and nothing is longer than a message may be.
/// </summary>
public static class WireCheck
{
    private const int LongestText = 64 << 10;
    private const int MostElements = 64 << 10;

    private static readonly ConcurrentDictionary<Type, (PropertyInfo Property, bool MayBeNull)[]> Properties = new();

    /// <exception cref="InvalidDataException">Names what is wrong, and where.</exception>
    public static void Demand(object? message) => Check(message, false, message?.GetType().Name ?? "message");

    private static void Check(object? value, bool mayBeNull, string where)
    {
        switch (value)
        {
            case null:
                if (!mayBeNull)
                    throw new InvalidDataException($"{where} is missing");
                break;
            case string text:
                if (text.Length > LongestText)
                    throw new InvalidDataException($"{where} has {text.Length} characters: at most {LongestText} are allowed");
                break;
            case Digest digest:
                Made(static text => new Digest(text), digest.Hex, where, "SHA-256");
                break;
            case RunName name:
                Made(static text => new RunName(text), name.Value, where, nameof(RunName));
                break;
            case RunId id:
                Made(static text => new RunId(text), id.Value, where, nameof(RunId));
                break;
            case JobId job:
                Made(static text => new JobId(text), job.Value, where, nameof(JobId));
                break;
            case NodeId node:
                Made(static text => new NodeId(text), node.Value, where, nameof(NodeId));
                break;
            case DeviceId device:
                Made(static text => new DeviceId(text), device.Value, where, nameof(DeviceId));
                break;
            case Enum choice:
                if (!Enum.IsDefined(choice.GetType(), choice))
                    throw new InvalidDataException($"{where} is {choice}, which is no {choice.GetType().Name}");
                break;
            case Array array:
                if (array.Length > MostElements)
                    throw new InvalidDataException($"{where} has {array.Length} elements: at most {MostElements} are allowed");
                if (array is byte[] or int[] or long[] or double[])
                    break;
                foreach (var element in array)
                    Check(element, false, where);
                break;
            default:
                foreach (var (property, optional) in PropertiesOf(value.GetType()))
                    Check(property.GetValue(value), optional, $"{where}.{property.Name}");
                break;
        }
    }

    // The constructor decides what is valid, for values that were made without it, too.
    private static void Made<T>(Func<string, T> constructor, string? text, string where, string what)
    {
        try
        {
            constructor(text!);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"{where} is \"{(text?.Length > 100 ? text[..100] + "…" : text)}\", which is no {what}", e);
        }
    }

    private static (PropertyInfo Property, bool MayBeNull)[] PropertiesOf(Type type) => Properties.GetOrAdd(type, static t =>
    {
        // Numbers and types of other libraries have nothing to check.
        if (t.IsPrimitive || t.Namespace?.StartsWith("Elastic", StringComparison.Ordinal) != true)
            return [];
        var nullability = new NullabilityInfoContext();
        return
        [
            .. t.GetFields(BindingFlags.Instance | BindingFlags.NonPublic)
                .Select(f => f.Name is ['<', .. var rest] && rest.IndexOf('>', StringComparison.Ordinal) is var end and > 0
                    ? t.GetProperty(rest[..end])
                    : null)
                .Concat(t.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) ? parent.GetProperties() : [])
                .OfType<PropertyInfo>().Where(p => p.GetIndexParameters().Length == 0 && p.CanRead && p.Name != "EqualityContract")
                .DistinctBy(p => p.Name)
                .Select(p => (p, Nullable.GetUnderlyingType(p.PropertyType) is not null
                    || nullability.Create(p).ReadState == NullabilityState.Nullable)),
        ];
    });
}
