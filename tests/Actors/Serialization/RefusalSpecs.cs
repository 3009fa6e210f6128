using System.Runtime.Serialization;
using System.Text;
using Akka.Actor;
using Elastic.Actors.Control;
using Elastic.Actors.Serialization;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using Elastic.Storage;
using Hyperion.Internal;

namespace Elastic.Actors.Tests.Serialization;

// What comes in names its types itself. Only Elastic's own are ever made; the census would tell of others.
public sealed class RefusalSpecs(WireSystem wire) : IClassFixture<WireSystem>
{
    public static TheoryData<string> Carriers => new(Payloads.Keys);

    private static Dictionary<string, Func<object, object>> Payloads => new()
    {
        ["bare"] = foreign => foreign,
        ["array of objects"] = foreign => new[] { foreign },
        ["array of its own type"] = foreign => { var a = Array.CreateInstance(foreign.GetType(), 1); a.SetValue(foreign, 0); return a; },
        ["list"] = foreign => new List<object> { foreign },
        ["dictionary"] = foreign => new Dictionary<string, object> { ["key"] = foreign },
        ["tuple"] = foreign => Tuple.Create(1, foreign),
        ["field of type object"] = foreign => new Holder { Content = foreign },
    };

    [Theory]
    [MemberData(nameof(Carriers))]
    public void A_foreign_type_is_refused_and_never_made_whatever_it_is_wrapped_in(string carrier)
    {
        var bytes = Foreign.Write(Payloads[carrier](Foreign.ToWrite()));
        Assert.Equal(1, Census.During(() => Foreign.Read(bytes)));       // without a filter it is made: the bytes are good
        Assert.Equal(0, Census.During(() => Assert.ThrowsAny<Exception>(() => wire.Read(bytes))));
    }

    [Fact]
    public void A_foreign_subtype_inside_one_of_Elastic_s_messages_is_refused_and_never_made()
    {
        var result = Foreign.Write(
            new WorkResult(new JobId("a"), new NodeId("a"), new OrderId(1, 1), CopyWork.KeyOf(0, 0), null, ForeignOutcome.ToWrite()));
        Assert.Equal(1, Census.During(() => Assert.IsType<WorkResult>(Foreign.Read(result))));
        Assert.Equal(0, Census.During(() => Assert.ThrowsAny<Exception>(() => wire.Read(result))));

        var order = Foreign.Write(new WorkOrder
        {
            Job = new JobId("a"),
            Id = new OrderId(1, 1),
            Key = CopyWork.KeyOf(0, 0),
            From = null,
            Sources = [],
            Part = Part.Whole,
            Content = ForeignContent.ToWrite(),
        });
        Assert.Equal(1, Census.During(() => Assert.IsType<WorkOrder>(Foreign.Read(order))));
        Assert.Equal(0, Census.During(() => Assert.ThrowsAny<Exception>(() => wire.Read(order))));
    }

    [Fact]
    public void The_refusal_names_the_type()
    {
        var bytes = Foreign.Write(Foreign.ToWrite());
        Assert.Contains(
            nameof(Foreign), Assert.Throws<UserEvilDeserializationException>(() => wire.Read(bytes)).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Json_that_names_a_type_is_refused_and_the_type_never_made()
    {
        var json = Encoding.UTF8.GetBytes(
            $$"""{"$type":"{{typeof(Foreign).FullName}}, {{typeof(Foreign).Assembly.GetName().Name}}","Text":"x"}""");
        using var careless = ActorSystem.Create("careless", "akka { loglevel = OFF, stdout-loglevel = OFF }");
        foreach (var manifest in new[] { typeof(object).AssemblyQualifiedName, typeof(Foreign).AssemblyQualifiedName })
        {
            // With Akka's own serializer it is made: the bytes are good.
            Assert.Equal(1, Census.During(() => Assert.IsType<Foreign>(
                ((ExtendedActorSystem)careless).Serialization.Deserialize(json, 1, manifest))));
            Assert.Equal(0, Census.During(() => Assert.EndsWith(
                "is refused: nothing here is read with it",
                Assert.ThrowsAny<SerializationException>(() => wire.Registry.Deserialize(json, 1, manifest)).Message,
                StringComparison.Ordinal)));
        }
    }

    [Fact]
    public void What_is_no_message_is_refused_at_the_sender_with_the_remedy()
    {
        var refusal = Assert.Throws<SerializationException>(() => wire.Write(Foreign.ToWrite()));
        Assert.Equal(
            "Elastic.Actors.Tests.Serialization.Foreign is not one of Elastic's messages: it must implement IWireMessage to travel",
            refusal.Message);
    }

    [Fact]
    public void What_has_no_serializer_of_its_own_meets_the_one_that_refuses()
    {
        Assert.Equal(1, Assert.IsType<RefusingSerializer>(wire.Registry.FindSerializerForType(typeof(object))).Identifier);
        Assert.IsType<ElasticSerializer>(wire.Registry.FindSerializerForType(typeof(NodeReport.Enlist)));
    }

    [Fact]
    public void Events_and_snapshots_are_stored_by_the_journal_s_codec_and_never_travel()
    {
        Assert.All(EventKind.All, kind => Assert.IsType<EventSerializer>(wire.Registry.FindSerializerForType(kind.Type)));
        Assert.IsType<EventSerializer>(wire.Registry.FindSerializerForType(typeof(RunState)));
        Assert.Equal(
            JournalRows.OldFormat,
            Assert.Throws<ElasticException>(() =>
                wire.Read(Foreign.Write(new RunEvent.RunPaused(new RunId("a"), Origins.Now("a test"))))).Message);
        Assert.Throws<SerializationException>(() => new EventSerializer((ExtendedActorSystem)wire.System).ToBinary(new NodeId("a")));
    }

    [Fact]
    public void Bytes_that_are_nothing_are_an_error_not_a_message()
    {
        foreach (var length in new[] { 0, 1, 7, 100 })
            Assert.ThrowsAny<Exception>(() => wire.Read([.. Enumerable.Repeat((byte)0xC3, length)]));
    }

    private sealed class Holder
    {
        public object? Content { get; set; }
    }
}
