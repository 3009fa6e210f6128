using System.Reflection;
using Elastic.Foundation;
using Hyperion;

namespace Elastic.Messages.Wire;

/// <summary>
/// The closed list of types that may come in: those of Elastic's own assemblies that carry <see cref="IWireMessage"/>, and the types of
/// their properties.
/// </summary>
/// <remarks>
/// Hyperion asks by name, with the full assembly name when it writes and with the short one when it reads, so each type is
/// listed under both.
/// </remarks>
public sealed class AllowedTypes : ITypeFilter
{
    private readonly Dictionary<string, Type> _byName;
    private readonly HashSet<Assembly> _rooms;

    /// <param name="others">Assemblies with messages of their own, besides this one.</param>
    public AllowedTypes(params IEnumerable<Assembly> others)
    {
        _rooms = [typeof(IWireMessage).Assembly, typeof(Digest).Assembly, .. others];
        Types = [.. Closure(_rooms.SelectMany(a => a.GetTypes())
            .Where(t => typeof(IWireMessage).IsAssignableFrom(t) && t is { IsAbstract: false }))];
        _byName = Types.SelectMany(t => NamesOf(t).Select(name => (name, t))).ToDictionary(n => n.name, n => n.t, StringComparer.Ordinal);
    }

    /// <summary>Every type on the list.</summary>
    public IReadOnlyList<Type> Types { get; }

    /// <inheritdoc/>
    public bool IsAllowed(string typeName) => _byName.ContainsKey(typeName);

    /// <summary>The type of that name; null where it is not on the list.</summary>
    public Type? Find(string typeName) => _byName.GetValueOrDefault(typeName);

    private static IEnumerable<string> NamesOf(Type type)
    {
        yield return type.AssemblyQualifiedName!;
        yield return $"{type.FullName}, {type.Assembly.GetName().Name}";
    }

    private HashSet<Type> Closure(IEnumerable<Type> roots)
    {
        var found = new HashSet<Type>();
        var open = new Stack<Type>(roots);
        while (open.TryPop(out var next))
        {
            var type = Nullable.GetUnderlyingType(next) ?? next;
            if (type.IsArray)
                open.Push(type.GetElementType()!);
            else if (!_rooms.Contains(type.Assembly))
                continue;                                            // primitives and strings have no name on the wire
            if (!type.IsAbstract && found.Add(type))
                foreach (var property in type.GetProperties())
                    open.Push(property.PropertyType);
        }

        return found;
    }
}
