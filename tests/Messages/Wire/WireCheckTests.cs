using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Wire;
using Elastic.Messages.Work;

namespace Elastic.Messages.Tests.Wire;

// Hyperion passes constructors by: whatever the bytes hold is made. So the bytes hold here what no constructor would take.
public sealed class WireCheckTests
{
    private static readonly WireCodec Codec = new();
    private static readonly RunId Run = new("tiny-3k9v2mq7");
    private static readonly NodeId Node = new("gpu7-8h2m4xyq");
    private static readonly Digest Sound = Digest.Of([1]);

    private static readonly RunRequest.Start Start = new(
        new RunName("a-label"), new Origin("request-1", "somebody", DateTimeOffset.UnixEpoch))
    {
        Settings = "{}",
        Elements = 1,
        Corpus = Sound,
        Manifest = null,
        Blocks = 1,
        HeldOutBlocks = 0,
        Arithmetic = "",
    };

    private static readonly NodeReport.Enlist Enlist = new(Node)
    {
        Devices = [new DeviceId("cpu:0"), new DeviceId("cpu:1")],
        Incarnation = "1",
        Address = "127.0.0.1:1",
        Endpoint = "127.0.0.1:2",
        Seed = false,
        Version = "0.2",
        Arithmetic = "",
        Works = HeldWorks.Of([new HeldWork(Run.Job, new OrderId(1, 1), new WorkKey("copy", 0), null)]),
        Leaving = false,
    };

    [Theory]
    [InlineData("../../etc/pas")]
    [InlineData(".iny-3k9v2mq7")]
    [InlineData("tiny 3k9v2mq7")]
    [InlineData("tiny-3k9v2mq/")]
    [InlineData("tiny\n3k9v2mq7")]
    public void A_run_s_id_that_could_be_a_path_is_refused_with_what_it_is(string id)
    {
        Refused(Patched(new NodeCommand.StopRun(Run), Run.Value, id), $"StopRun.RunId is \"{id}\", which is no RunId");
    }

    [Fact]
    public void Each_kind_of_identifier_is_checked_wherever_it_is()
    {
        Refused(Patched(Start, "a-label", "a/label"), "Start.Run is \"a/label\", which is no RunName");
        Refused(Patched(Enlist, "gpu7-", "gpu7/"), "Enlist.Node is \"gpu7/8h2m4xyq\", which is no NodeId");
        Refused(Patched(Enlist, "cpu:1", "cpu 1"), "Enlist.Devices is \"cpu 1\", which is no DeviceId");
        Refused(Patched(Enlist, "tiny-", "tiny/"), "Enlist.Works.Job is \"tiny/3k9v2mq7\", which is no JobId");
    }

    [Theory]
    [InlineData('g')]
    [InlineData('A')]
    [InlineData('/')]
    public void A_digest_that_is_none_is_refused(char other)
    {
        var bad = Sound.Hex[..^1] + other;
        Refused(Patched(Start, Sound.Hex, bad), $"Start.Corpus is \"{bad}\", which is no SHA-256");
        Refused(
            Patched(new NodeCommand.Retain(Run, new OrderId(1, 1), 0, [Digest.Of([2]), Sound], [], Part.Whole), Sound.Hex, bad),
            $"Retain.Sets is \"{bad}\", which is no SHA-256");
    }

    [Fact]
    public void An_identifier_or_digest_that_names_nothing_is_refused()
    {
        Refused(Codec.Write(new NodeCommand.StopRun(default)), "StopRun.RunId is \"\", which is no RunId");
        Refused(
            Codec.Write(new NodeCommand.Survey(Run, new OrderId(1, 1), [Sound, default], Part.Whole)),
            "Survey.Sets is \"\", which is no SHA-256");
        Refused(Codec.Write(Start with { Manifest = default(Digest) }), "Start.Manifest is \"\", which is no SHA-256");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    [InlineData(int.MaxValue)]
    public void A_value_that_an_enumeration_does_not_have_is_refused(int value)
    {
        var failed = new WorkResult(
            Run.Job, Node, new OrderId(1, 1), new WorkKey("copy", 0), null, new WorkFailed("why", (WorkFailure)value));
        Refused(Codec.Write(failed), $"WorkResult.Outcome.Kind is {value}, which is no WorkFailure");
    }

    [Fact]
    public void What_must_be_there_is_and_what_may_be_missing_may()
    {
        Refused(Codec.Write(Start with { Settings = null! }), "Start.Settings is missing");
        Refused(Codec.Write(Start with { Origin = null! }), "Start.Origin is missing");
        Refused(Codec.Write(Start with { Origin = Start.Origin with { Who = null! } }), "Start.Origin.Who is missing");
        Refused(Codec.Write(Enlist with { Works = null! }), "Enlist.Works is missing");
        Assert.Equivalent(Start, Codec.Read(Codec.Write(Start)), strict: true);                       // its manifest is null
    }

    [Fact]
    public void A_text_or_a_list_that_is_longer_than_any_message_may_be_is_refused()
    {
        Refused(
            Codec.Write(Start with { Settings = new string('x', 65_537) }),
            "Start.Settings has 65537 characters: at most 65536 are allowed");
        Refused(
            Codec.Write(new NodeCommand.Retain(Run, new OrderId(1, 1), 0, [], new int[65_537], Part.Whole)),
            "Retain.Checkpoints has 65537 elements: at most 65536 are allowed");
        Assert.IsType<RunRequest.Start>(Codec.Read(Codec.Write(Start with { Settings = new string('x', 65_536) })));
    }

    [Fact]
    public void What_a_refusal_shows_of_a_bad_value_is_bounded()
    {
        var failed = new RunReply.Refused(new RunName(new string('a', 64)), "why");
        var bytes = Patched(failed, new string('a', 64), new string('/', 64));
        Assert.InRange(Assert.Throws<InvalidDataException>(() => Codec.Read(bytes)).Message.Length, 64, 200);
    }

    private static void Refused(byte[] bytes, string why) =>
        Assert.Equal(why, Assert.Throws<InvalidDataException>(() => Codec.Read(bytes)).Message);

    // The message's bytes with a text in them replaced by another one of the same length.
    private static byte[] Patched(object message, string text, string other)
    {
        var (bytes, from, to) = (Codec.Write(message), Encoding.UTF8.GetBytes(text), Encoding.UTF8.GetBytes(other));
        Assert.Equal(from.Length, to.Length);
        var place = bytes.AsSpan().IndexOf(from);
        Assert.InRange(place, 0, bytes.Length);
        to.CopyTo(bytes.AsSpan(place));
        return bytes;
    }
}
