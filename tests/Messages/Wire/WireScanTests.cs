using System.Text;
using Elastic.Messages.Nodes;
using Elastic.Messages.Wire;

namespace Elastic.Messages.Tests.Wire;

// Hyperion allocates what a payload says, and calls itself for each value inside a value.
public sealed class WireScanTests
{
    private const int MostAllocated = 1 << 20;

    private static readonly WireCodec Codec = new();

    [Theory]
    [InlineData(new byte[] { 9 }, int.MaxValue)]                        // bytes
    [InlineData(new byte[] { 7, 255 }, int.MaxValue)]                   // a text
    [InlineData(new byte[] { 252, 2 }, 250_000_000)]                    // numbers of eight bytes each
    [InlineData(new byte[] { 252, 7 }, int.MaxValue)]                   // texts
    [InlineData(new byte[] { 255 }, int.MaxValue)]                      // the name of a type
    [InlineData(new byte[] { 9 }, -1)]
    public void A_length_above_what_is_left_of_the_payload_is_refused_before_anything_is_allocated(byte[] kind, int length) =>
        Refused([.. kind, .. BitConverter.GetBytes(length)], $"a length of {length} is above the 0 bytes that are left");

    [Fact]
    public void An_array_of_messages_is_not_longer_than_the_payload() => Refused(
        [.. Name("Elastic.Messages.DeviceId[], Elastic.Messages"), .. BitConverter.GetBytes(500_000_000)],
        "a length of 500000000 is above the 0 bytes that are left");

    [Fact]
    public void Values_inside_each_other_are_refused_beyond_a_depth_that_no_message_has()
    {
        // A run's id has one field; nobody says that it must be a text.
        byte[] again = [254, 0, 0];
        var nested = Enumerable.Repeat(again, 40_000).SelectMany(b => b);
        Refused([.. Name("Elastic.Messages.RunId, Elastic.Messages"), .. nested], "values are inside each other more than 16 deep");
    }

    [Theory]
    [InlineData(14)]                                                    // a decimal
    [InlineData(16)]                                                    // a type as a value
    [InlineData(253)]                                                   // a reference
    public void A_kind_of_value_that_is_in_no_message_is_refused(byte kind) =>
        Refused([kind, 0, 0, 0, 0], $"a value of kind {kind} is in no message");

    [Fact]
    public void A_type_is_referred_to_only_after_it_was_named() => Refused([254, 1, 0], "type 1 was not named before");

    [Fact]
    public void A_message_that_ends_early_is_refused_wherever_it_ends()
    {
        var bytes = Codec.Write(new NodeCommand.StopRun(new RunId("tiny-3k9v2mq7")));
        for (var length = 0; length < bytes.Length; length++)
            Assert.Throws<InvalidDataException>(() => Codec.Read(bytes[..length]));
    }

    private static byte[] Name(string type) => [255, .. BitConverter.GetBytes(type.Length), .. Encoding.ASCII.GetBytes(type)];

    private static void Refused(byte[] bytes, string why)
    {
        Assert.Equal(why, Assert.Throws<InvalidDataException>(() => Codec.Read(bytes)).Message);
        // Once more: the first reading makes what is made once in a process, such as the list of what each message holds.
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidDataException>(() => Codec.Read(bytes));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated);
    }
}
