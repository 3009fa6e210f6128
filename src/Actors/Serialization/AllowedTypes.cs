using Elastic.Foundation;
using Elastic.Messages;
using Hyperion;

namespace Elastic.Actors.Serialization;

/// <summary>The closed list of types that may come in: those of Elastic.Messages that carry the mark, and what these are made of.</summary>
/// <remarks>
/// Hyperion asks by name, with the full assembly name when it writes and with the short one when it reads, so each type is
/// listed under both.
/// </remarks>
internal sealed class AllowedTypes : ITypeFilter
{
    private readonly HashSet<string> _names;

    public AllowedTypes()
    {
        Types = [.. Closure(typeof(IWireMessage).Assembly.GetTypes().Where(t => typeof(IWireMessage).IsAssignableFrom(t) && t is { IsAbstract: false }))];
        _names = [.. Types.SelectMany(NamesOf)];
    }

    /// <summary>Every type on the list.</summary>
    public IReadOnlyList<Type> Types { get; }

    /// <inheritdoc/>
    public bool IsAllowed(string typeName) => _names.Contains(typeName);

    private static IEnumerable<string> NamesOf(Type type)
    {
        yield return type.AssemblyQualifiedName!;
        yield return $"{type.FullName}, {type.Assembly.GetName().Name}";
    }

    private static HashSet<Type> Closure(IEnumerable<Type> roots)
    {
        var found = new HashSet<Type>();
        var open = new Stack<Type>(roots);
        while (open.TryPop(out var type))
        {
            type = Nullable.GetUnderlyingType(type) ?? type;
            if (type.IsArray)
                open.Push(type.GetElementType()!);
            else if (type.Assembly != typeof(IWireMessage).Assembly && type.Assembly != typeof(Digest).Assembly)
                continue;                                            // primitives and strings have no name on the wire
            if (!type.IsAbstract && found.Add(type))
                foreach (var property in type.GetProperties())
                    open.Push(property.PropertyType);
        }

        return found;
    }
}
