using System.Text;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Messages.Runs;
using static Elastic.Messages.Runs.RunEvent;
using static Elastic.Testing.RunSamples;

namespace Elastic.Storage.Tests;

public sealed class EventCodecTests
{
    private static readonly string Committed =
        $$"""{"round":1,"version":"{{D("v")}}","fingerprint":"{{D("f")}}","tokensSeen":1536,"chainHead":"{{D("l")}}","runId":"a"}""";

    [Theory]
    [InlineData("")]
    [InlineData("round-undone")]
    [InlineData("round-committed.2")]
    [InlineData("round-committed.0")]
    [InlineData("RoundCommitted")]
    public void A_manifest_that_nobody_knows_is_refused_with_what_to_do(string manifest) => Assert.Equal(
        $"the journal has an event \"{manifest}\", which this version of Elastic does not know: " +
        "use the version that wrote it, or a newer one",
        Assert.Throws<ElasticException>(() => GoldenLines.Read(manifest, Committed)).Message);

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("""{"round":1}""")]
    public void A_payload_that_lacks_what_the_event_needs_is_refused(string payload) => Refused("round-committed", payload);

    [Theory]
    [InlineData("\"round\":1", "\"round\":\"1\"")]
    [InlineData("\"round\":1", "\"round\":1,\"round\":2")]
    [InlineData("\"runId\":\"a\"", "\"runId\":null")]
    [InlineData("\"runId\":\"a\"", "\"runId\":7")]
    [InlineData("\"version\":", "\"Version\":")]
    public void A_payload_with_a_field_of_another_kind_is_refused(string field, string other) =>
        Refused("round-committed", Committed.Replace(field, other, StringComparison.Ordinal));

    [Fact]
    public void An_event_that_is_no_text_is_refused() =>
        Assert.Throws<ElasticException>(() => EventCodec.Default.Read("round-committed", [0xff, 0xfe, 0x00, 0x7b]));

    [Fact]
    public void A_field_that_a_later_version_added_is_ignored() => Assert.Equal(
        GoldenLines.Read("round-committed", Committed),
        GoldenLines.Read("round-committed", Committed.Replace("{", "{\"by\":{\"a\":[1]},", StringComparison.Ordinal)));

    [Fact]
    public void A_nullable_field_that_an_older_version_did_not_have_is_null() =>
        Assert.Null(Assert.IsType<ChunksAveraged>(GoldenLines.Read("chunks-averaged",
            $$"""{"runId":"a","round":1,"chunks":[{"chunk":0,"parameters":"{{D("p")}}"}]}""")).Chunks[0].OuterMomentum);

    [Theory]
    [InlineData(0x7ff8000000000000)]
    [InlineData(unchecked((long)0xfff8000000000000))]
    [InlineData(0x7ff8000000000001)]
    [InlineData(0x7ff0000000000000)]
    [InlineData(unchecked((long)0xfff0000000000000))]
    [InlineData(unchecked((long)0x8000000000000000))]
    [InlineData(1)]
    [InlineData(0x3fb999999999999a)]
    public void A_loss_comes_back_to_the_bit_because_the_hash_chain_counts_its_bits(long bits)
    {
        var e = new VersionEvaluated(Id, new VersionScore(0, BitConverter.Int64BitsToDouble(bits), 1));
        var back = Assert.IsType<VersionEvaluated>(EventCodec.Default.Read("version-evaluated", EventCodec.Default.Write(e)));
        Assert.Equal(bits, BitConverter.DoubleToInt64Bits(back.Score.LossNats));
    }

    [Theory]
    [InlineData("nan")]
    [InlineData("1.5")]
    [InlineData("NaN:3ff0000000000000")]
    public void A_text_that_is_no_number_is_refused(string text) =>
        Refused("version-evaluated", $$$"""{"runId":"a","score":{"version":0,"lossNats":"{{{text}}}","bitsPerByte":1}}""");

    [Fact]
    public void An_older_version_of_an_event_is_lifted_one_version_after_the_other()
    {
        // As if rounds had been counted from 1 at first, and the tokens had had another name in the second version.
        var codec = new EventCodec([EventKind.Of<RoundCommitted>("round-committed", CountFromZero, NameTokens)]);
        var expected = GoldenLines.Read("round-committed", Committed);
        var second = Committed.Replace("tokensSeen", "tokens", StringComparison.Ordinal);
        var first = second.Replace("\"round\":1", "\"round\":2", StringComparison.Ordinal);

        Assert.Equal(expected, codec.Read("round-committed", Encoding.UTF8.GetBytes(first)));
        Assert.Equal(expected, codec.Read("round-committed.2", Encoding.UTF8.GetBytes(second)));
        Assert.Equal(expected, codec.Read("round-committed.3", Encoding.UTF8.GetBytes(Committed)));
        Assert.Equal(("round-committed.3", Committed), (codec.ManifestOf(expected), Encoding.UTF8.GetString(codec.Write(expected))));
        Assert.Throws<ElasticException>(() => codec.Read("round-committed.4", Encoding.UTF8.GetBytes(Committed)));

        static JsonObject CountFromZero(JsonObject json)
        {
            json["round"] = json["round"]!.GetValue<int>() - 1;
            return json;
        }

        static JsonObject NameTokens(JsonObject json)
        {
            json["tokensSeen"] = json["tokens"]!.DeepClone();
            return json;
        }
    }

    [Fact]
    public void An_event_without_a_name_cannot_be_written() => Assert.Equal(
        "the event Nameless has no name in the journal: give it a line in EventKind.All",
        Assert.Throws<ElasticException>(() => EventCodec.Default.Write(new Nameless())).Message);

    [Fact]
    public void A_digest_that_names_nothing_cannot_be_written() =>
        Assert.Throws<ElasticException>(() => EventCodec.Default.Write(new CorpusPublished(Id, default)));

    private static void Refused(string manifest, string payload) => Assert.StartsWith(
        $"an event \"{manifest}\" of the journal is damaged (",
        Assert.Throws<ElasticException>(() => GoldenLines.Read(manifest, payload)).Message, StringComparison.Ordinal);

    private sealed record Nameless() : RunEvent(Id);
}
