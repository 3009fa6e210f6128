using System.IO.Compression;
using System.Reflection;
using System.Runtime.Serialization;
using System.Text;
using Akka.Actor;
using Elastic.Actors.Serialization;
using Elastic.Messages.Settings;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Serialization;

/// <summary>Of Akka's own serializers only what the cluster needs can be reached, and only so deep and so large.</summary>
public sealed class AkkaSerializerSpecs : TemporaryFolder
{
    private static readonly byte[] Gzip = [0x1F, 0x8B];

    [Fact]
    public async Task Each_serializer_of_a_started_node_is_Elastic_s_own_or_guarded_or_refuses()
    {
        await using var node = await ElasticNode.StartAsync(
            NodeSettings.Defaults with { Devices = "none", DataDir = Folder }, NodeDuty.Seed(), _ => { }, CancellationToken.None);
        var all = SerializersOf(node.System);
        Assert.Equal([4053], Of<ElasticSerializer>());
        Assert.Equal([4054], Of<EventSerializer>());
        Assert.Equal([5, 6, 11, 12, 13, 14, 16, 17, 22], Of<GuardedSerializer>());
        Assert.All(all.Values, s => Assert.True(
            s is ElasticSerializer or EventSerializer or GuardedSerializer or RefusingSerializer,
            $"{s.GetType()} ({s.Identifier}) must be guarded or refused in hocon/akka.conf"));

        int[] Of<T>() => [.. all.Where(s => s.Value is T).Select(s => s.Key).Order()];
    }

    [Theory]
    [InlineData(0, "")]
    [InlineData(1, "System.Object")]
    [InlineData(2, "Google.Protobuf.IMessage, Google.Protobuf")]
    [InlineData(3, "")]
    [InlineData(4, "")]
    [InlineData(5, "Akka.Cluster.ClusterUserAction+Down, Akka.Cluster")]
    [InlineData(5, "Akka.Cluster.ClusterUserAction+Leave, Akka.Cluster")]
    [InlineData(5, "Akka.Cluster.Routing.ClusterRouterPool, Akka.Cluster")]
    [InlineData(7, "")]
    [InlineData(8, "")]
    [InlineData(9, "A")]
    [InlineData(11, "H")]
    [InlineData(12, "P")]
    [InlineData(13, "EA")]
    [InlineData(15, "A")]
    [InlineData(16, "CF")]
    [InlineData(16, "K")]
    [InlineData(16, "PP")]
    [InlineData(16, "RORRC")]
    [InlineData(16, "STF")]
    [InlineData(17, "System.Int32, System.Private.CoreLib")]
    [InlineData(22, "Akka.Dispatch.SysMsg.Failed, Akka")]
    [InlineData(22, "Akka.Dispatch.SysMsg.Terminate, Akka")]
    [InlineData(36, "a")]
    public void What_no_node_sends_is_refused_before_a_byte_of_it_is_read(int serializer, string manifest)
    {
        using var wire = new WireSystem();
        var refusal = Assert.ThrowsAny<SerializationException>(() => wire.Registry.Deserialize([0xFF], serializer, manifest));
        Assert.Matches("is refused: (it is of a kind that no node sends|nothing here is read with it)$", refusal.Message);
    }

    [Fact]
    public void Messages_inside_each_other_are_refused_beyond_a_depth_that_costs_nothing()
    {
        using var wire = new WireSystem();
        Assert.Equal("x", Assert.IsType<Identify>(wire.Registry.Deserialize(Nested(1), 16, "ID")).MessageId);
        var deep = Nested(9_000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var refusal = Assert.ThrowsAny<SerializationException>(() => wire.Registry.Deserialize(deep, 16, "ID"));
        Assert.EndsWith("messages are inside each other more than 4 deep", refusal.Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
    }

    [Fact]
    public void A_packed_message_that_grows_beyond_measure_is_refused()
    {
        using var wire = new WireSystem();
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
            gzip.Write(new byte[64 << 20]);
        Assert.Equal(Gzip, packed.ToArray()[..2]);
        Assert.InRange(packed.Length, 0, 128_000);                       // it fits a frame
        var refusal = Assert.ThrowsAny<SerializationException>(() => wire.Registry.Deserialize(packed.ToArray(), 12, "N"));
        Assert.Contains("it unpacks to more than 4194304 bytes", refusal.Message, StringComparison.Ordinal);
    }

    private static Dictionary<int, Akka.Serialization.Serializer> SerializersOf(ActorSystem system) =>
        (Dictionary<int, Akka.Serialization.Serializer>)typeof(Akka.Serialization.Serialization)
            .GetField("_serializersById", BindingFlags.NonPublic | BindingFlags.Instance)!.GetValue(system.Serialization)!;

    // As Akka's Identify is written: field 1, a payload of bytes (1), the serializer's number (2) and the manifest (3).
    private static byte[] Nested(int depth)
    {
        byte[] inner = Payload("x"u8, 17, "S");
        for (var i = 1; i < depth; i++)
            inner = Payload(Field(1, inner), 16, "ID");
        return Field(1, inner);

        static byte[] Payload(ReadOnlySpan<byte> bytes, byte serializer, string manifest) =>
            [.. Field(1, bytes), 0x10, serializer, .. Field(3, Encoding.ASCII.GetBytes(manifest))];
    }

    private static byte[] Field(int number, ReadOnlySpan<byte> bytes)
    {
        var field = new List<byte>(bytes.Length + 6) { (byte)((number << 3) | 2) };
        for (var length = (uint)bytes.Length; ; length >>= 7)
        {
            field.Add((byte)(length < 0x80 ? length : length | 0x80));
            if (length < 0x80)
                break;
        }

        field.AddRange(bytes);
        return [.. field];
    }
}
