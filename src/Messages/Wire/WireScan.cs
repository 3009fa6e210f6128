using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Reflection;
using System.Text;

namespace Elastic.Messages.Wire;

/// <summary>
/// Walks over a payload as Hyperion would read it, without making anything: no length is above what is left of the payload, and no value is
/// deeper inside others than a message of ours is. Hyperion itself allocates first: five bytes would cost two gigabytes.
/// </summary>
/// <remarks>
/// A payload that holds what Elastic's messages do not hold (types as values, references, decimals, collections) is refused. At a type
/// that is not on the list the walk ends: Hyperion refuses it at the same place.
/// </remarks>
internal ref struct WireScan
{
    /// <summary>An order with a content with a list of facts with digests is half as deep.</summary>
    internal const int MostNesting = 16;

    // Hyperion's own numbers of what follows. A value of a type of ours begins with one of the last three: the type's name, with or without
    // the names of its fields, or its place among the types that were named before.
    private const byte Null = 0, Text = 7, Bytes = 9, Numbers = 252, Named = 255, NamedWithFields = 251, NamedBefore = 254;

    private static readonly ConcurrentDictionary<Type, int> Fields = new();

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly AllowedTypes _allowed;
    private readonly List<Type> _types = [];
    private int _at;

    private WireScan(ReadOnlySpan<byte> bytes, AllowedTypes allowed)
    {
        _bytes = bytes;
        _allowed = allowed;
    }

    private readonly int Left => _bytes.Length - _at;

    /// <exception cref="InvalidDataException">Hyperion must not read the payload; says why.</exception>
    public static void Demand(ReadOnlySpan<byte> bytes, AllowedTypes allowed)
    {
        var scan = new WireScan(bytes, allowed);
        scan.Value(0);
    }

    // False where the walk ends at a type that is not allowed.
    private bool Value(int depth)
    {
        if (depth > MostNesting)
            throw new InvalidDataException($"values are inside each other more than {MostNesting} deep");
        var kind = Skip(1)[0];
        switch (kind)
        {
            case Null:
                return true;
            case Text:
                SkipText();
                return true;
            case Bytes:
                Skip(Length(1));
                return true;
            case Numbers:
                SkipNumbers();
                return true;
            case Named or NamedWithFields or NamedBefore:
                return TypeOf(kind) is { } type && Object(type, depth);
            default:
                Skip(SizeOf(kind));
                return true;
        }
    }

    private bool Object(Type type, int depth)
    {
        if (type.GetElementType() is { } element && (element.IsPrimitive || element == typeof(string)))
            throw new InvalidDataException($"an array of {element.Name} is written in another way");
        for (var left = type.IsArray ? Length(1) : FieldsOf(type); left > 0; left--)
            if (!Value(depth + 1))
                return false;
        return true;
    }

    private Type? TypeOf(byte kind)
    {
        if (kind == NamedBefore)
        {
            var place = BinaryPrimitives.ReadUInt16LittleEndian(Skip(sizeof(ushort)));
            return place < _types.Count ? _types[place] : throw new InvalidDataException($"type {place} was not named before");
        }

        var type = _allowed.Find(Encoding.UTF8.GetString(Skip(Length(1))));
        if (type is null)
            return null;
        if (kind == NamedWithFields)
            for (var names = Skip(1)[0]; names > 0; names--)
                Skip(Length(1));
        _types.Add(type);
        return type;
    }

    // One byte for a short text, five for a long one.
    private void SkipText()
    {
        var length = Skip(1)[0];
        if (length == byte.MaxValue)
            Skip(Length(1));
        else if (length > 0)
            Skip(length - 1);
    }

    private void SkipNumbers()
    {
        var kind = Skip(1)[0];
        if (kind == Text)
            for (var texts = Length(1); texts > 0; texts--)
                SkipText();
        else
            Skip(Length(SizeOf(kind)) * SizeOf(kind));
    }

    private static int SizeOf(byte kind) => kind switch
    {
        4 or 6 or 20 => 1,                                             // byte, bool, sbyte
        3 or 15 or 17 => 2,                                            // short, char, ushort
        8 or 12 or 18 => 4,                                            // int, float, uint
        2 or 13 or 19 => 8,                                            // long, double, ulong
        5 => 9,                                                        // DateTime
        10 or 11 => 16,                                                // DateTimeOffset, Guid
        _ => throw new InvalidDataException($"a value of kind {kind} is in no message"),
    };

    // A number of things of at least that many bytes each, all of which must be there.
    private int Length(int size)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(Skip(sizeof(int)));
        return length >= 0 && length <= Left / size
            ? length
            : throw new InvalidDataException($"a length of {length} is above the {Left} bytes that are left");
    }

    private ReadOnlySpan<byte> Skip(int count)
    {
        if (count > Left)
            throw new InvalidDataException($"the payload of {_bytes.Length} bytes ends within a value");
        _at += count;
        return _bytes.Slice(_at - count, count);
    }

    // As Hyperion counts them: those of the type and of its bases.
    private static int FieldsOf(Type type) => Fields.GetOrAdd(type, static t =>
    {
        var count = 0;
        for (var at = t; at is not null; at = at.BaseType)
            count += at.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).Length;
        return count;
    });
}
