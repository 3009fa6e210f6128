using System.Reflection;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Actors.Tests.Serialization;

/// <summary>A message of each kind, made by its constructor and fields.</summary>
internal sealed class WireSamples
{
    private int _count;

    // Those of each kind of work are with the kind.
    public static IEnumerable<Type> All => new[] { typeof(IWireMessage).Assembly, typeof(WorkKind).Assembly }
        .SelectMany(a => a.GetTypes()).Where(t => typeof(IWireMessage).IsAssignableFrom(t) && t is { IsAbstract: false });

    /// <summary>A value of each field that no other has; bare: null, empty or default where there is such a thing.</summary>
    public object? Make(Type type, bool bare)
    {
        _count++;
        if (Nullable.GetUnderlyingType(type) is { } underlying)
            return bare ? null : Make(underlying, bare);
        if (type.IsArray)
        {
            var array = Array.CreateInstance(type.GetElementType()!, bare ? 0 : 3);
            for (var i = 0; i < array.Length; i++)
                array.SetValue(Make(type.GetElementType()!, bare), i);
            return array;
        }

        if (type.IsEnum)
            return Enum.GetValues(type).GetValue(bare ? 0 : Enum.GetValues(type).Length - 1);
        if (type == typeof(string))
            return bare ? "" : $"text {_count} \u00e9\u4e16";
        if (type == typeof(DateTimeOffset))
            return new DateTimeOffset(2026, 3, 29, 1, 59, 59, TimeSpan.FromMinutes(bare ? 0 : 345)).AddTicks(_count);
        if (type == typeof(byte))
            return bare ? (byte)0 : (byte)_count;
        if (type.IsPrimitive)
            return type == typeof(bool) ? !bare : type == typeof(double) ? _count + 0.125
                : Convert.ChangeType(bare ? 0 : type == typeof(byte) ? _count % 256 : _count, type);
        if (type == typeof(Digest))
            return Digest.Of([(byte)_count, (byte)(_count >> 8)]);
        if (type.GetConstructor([typeof(string)]) is { } id && type.IsValueType)
            return id.Invoke([$"id-{_count}"]);
        if (type.IsAbstract)
            type = All.Where(type.IsAssignableFrom).ElementAt(bare ? 0 : 1);
        return Filled(type, bare);
    }

    // By its constructor, then the fields that it is built with by name.
    private object Filled(Type type, bool bare)
    {
        var nullable = new NullabilityInfoContext();
        var constructor = type.GetConstructors().MaxBy(c => c.GetParameters().Length)!;
        var message = constructor.Invoke([.. constructor.GetParameters().Select(p =>
            bare && nullable.Create(p).ReadState == NullabilityState.Nullable ? null : Make(p.ParameterType, bare))]);
        foreach (var property in type.GetProperties()
            .Where(p => p.SetMethod is not null && !constructor.GetParameters().Any(c => c.Name == p.Name)))
            property.SetValue(
                message,
                bare && nullable.Create(property).ReadState == NullabilityState.Nullable ? null : Make(property.PropertyType, bare));
        return message;
    }
}
