using System.Reflection;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Wire;

namespace Elastic.Actors.Tests.Serialization;

public sealed class WireMessageSpecs(WireSystem wire) : IClassFixture<WireSystem>
{
    private const int MutationsOfEach = 20_000;

    // With which Hyperion begins a value, and numbers that are too large for a length.
    private static readonly byte[] Kinds = [0, 1, 7, 8, 9, 14, 16, 251, 252, 253, 254, 255];
    private static readonly int[] Lengths = [int.MaxValue, -1, int.MinValue, 1 << 28, 1 << 20];

    private int _count;

    public static TheoryData<Type> Messages => new(All);

    // Those of each kind of work are with the kind.
    private static IEnumerable<Type> All => new[] { typeof(IWireMessage).Assembly, typeof(WorkKind).Assembly }
        .SelectMany(a => a.GetTypes()).Where(t => typeof(IWireMessage).IsAssignableFrom(t) && t is { IsAbstract: false });

    [Theory]
    [MemberData(nameof(Messages))]
    public void Every_message_comes_back_as_it_was(Type type)
    {
        foreach (var message in new[] { Make(type, bare: false)!, Make(type, bare: true)! })
        {
            var bytes = wire.Write(message);
            var back = wire.Read(bytes);
            Assert.Equal(type, back.GetType());
            Assert.Equal(DeepText.Of(message), DeepText.Of(back));
            Assert.Equal(bytes, wire.Write(back));
        }
    }

    [Fact]
    public void The_list_of_allowed_types_holds_only_Elastic_s_own_and_arrays_of_numbers_and_texts()
    {
        Type[] plain = [typeof(int[]), typeof(byte[]), typeof(string[])];
        Assembly[] ours = [typeof(IWireMessage).Assembly, typeof(Digest).Assembly, typeof(WorkKind).Assembly];
        Assert.All(
            new AllowedTypes(typeof(WorkKind).Assembly).Types.Except(plain),
            t => Assert.Contains((t.GetElementType() ?? t).Assembly, ours));
    }

    // Whatever it holds, a payload costs its reader no more than an exception.
    [Fact]
    public void Mutated_bytes_of_each_message_are_read_or_refused_at_a_small_cost()
    {
        var messages = All.Select(t => wire.Write(Make(t, bare: false)!)).ToList();
        var chance = new Random(20261126);
        var read = 0;
        for (var i = 0; i < MutationsOfEach * messages.Count; i++)
        {
            var bytes = Mutated(messages[i % messages.Count], messages[chance.Next(messages.Count)], chance);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                wire.Read(bytes);
                read++;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // Refused.
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
        }

        Assert.InRange(read, 1, (MutationsOfEach * messages.Count) - 1); // some mutations change a number only
    }

    private static byte[] Mutated(byte[] bytes, byte[] other, Random chance)
    {
        var mutated = bytes.ToArray();
        for (var times = chance.Next(1, 4); times > 0; times--)
        {
            var at = chance.Next(mutated.Length);
            switch (chance.Next(6))
            {
                case 0:
                    mutated[at] ^= (byte)(1 << chance.Next(8));
                    break;
                case 1:
                    mutated[at] = Kinds[chance.Next(Kinds.Length)];
                    break;
                case 2:
                    BitConverter.GetBytes(Lengths[chance.Next(Lengths.Length)]).AsSpan(0, Math.Min(4, mutated.Length - at))
                        .CopyTo(mutated.AsSpan(at));
                    break;
                case 3:
                    mutated = mutated[..(at + 1)];
                    break;
                case 4:
                    mutated = [.. mutated[..at], .. other[chance.Next(other.Length)..]];
                    break;
                default:
                    mutated = [.. mutated[..at], .. mutated[chance.Next(at + 1)..]];
                    break;
            }
        }

        return mutated;
    }

    // A value of each field that no other has; bare: null, empty or default where there is such a thing.
    private object? Make(Type type, bool bare)
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
        if (type.IsPrimitive)
            return type == typeof(bool) ? !bare : type == typeof(double) ? _count + 0.125 : Convert.ChangeType(bare ? 0 : _count, type);
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
