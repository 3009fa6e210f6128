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

    private readonly WireSamples _samples = new();

    public static TheoryData<Type> Messages => new(WireSamples.All);

    [Theory]
    [MemberData(nameof(Messages))]
    public void Every_message_comes_back_as_it_was(Type type)
    {
        foreach (var message in new[] { _samples.Make(type, bare: false)!, _samples.Make(type, bare: true)! })
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
        Type[] plain = [typeof(int[]), typeof(byte[]), typeof(double[]), typeof(string[])];
        Assembly[] ours = [typeof(IWireMessage).Assembly, typeof(Digest).Assembly, typeof(WorkKind).Assembly];
        Assert.All(
            new AllowedTypes(typeof(WorkKind).Assembly).Types.Except(plain),
            t => Assert.Contains((t.GetElementType() ?? t).Assembly, ours));
    }

    // Whatever it holds, a payload costs its reader no more than an exception.
    [Fact]
    public void Mutated_bytes_of_each_message_are_read_or_refused_at_a_small_cost()
    {
        var messages = WireSamples.All.Select(t => wire.Write(_samples.Make(t, bare: false)!)).ToList();
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
}
