using System.Text;
using Elastic.Messages.Pbm;

namespace Elastic.Pbm.Tests;

public sealed class PbmStreamTests
{
    [Theory]
    [InlineData("garbage\n")]
    [InlineData("\n")]
    [InlineData("null\n")]
    [InlineData("[]\n")]
    [InlineData("{}\n")]
    [InlineData("{\"type\":\"no-such\"}\n")]
    [InlineData("{\"type\":\"call\"}\n")]
    [InlineData("{\"type\":\"call\",\"palette\":null,\"command\":\"a\",\"values\":[],\"json\":false}\n")]
    [InlineData("{\"type\":\"hello\",\"protocol\":\"one\",\"version\":\"1\"}\n")]
    [InlineData("\u0000\u00ff\n")]
    public async Task What_is_no_message_is_refused(string line)
    {
        await using var stream = Of(Encoding.Latin1.GetBytes(line));
        await Assert.ThrowsAsync<PbmProtocolException>(() => stream.ReadAsync(TestDeadline.Token));
    }

    [Fact]
    public async Task A_line_that_is_too_long_is_refused_before_it_ends()
    {
        await using var stream = new PbmStream(new Endless());
        await Assert.ThrowsAsync<PbmProtocolException>(() => stream.ReadAsync(TestDeadline.Token));
    }

    [Fact]
    public async Task A_message_that_is_too_long_is_not_sent_at_all()
    {
        var sent = new MemoryStream();
        await using var stream = new PbmStream(sent);
        await Assert.ThrowsAsync<PbmProtocolException>(() =>
            stream.WriteAsync(new PbmMessage.Line(new string('x', PbmStream.MaxLineBytes)), TestDeadline.Token));
        Assert.Equal(0, sent.Length);
    }

    [Fact]
    public async Task The_longest_line_passes_both_ways()
    {
        var sent = new MemoryStream();
        var overhead = (await BytesOf(new PbmMessage.Line(""))).Length;
        var longest = new PbmMessage.Line(new string('x', PbmStream.MaxLineBytes - overhead));
        await new PbmStream(sent).WriteAsync(longest, TestDeadline.Token);
        Assert.Equal(PbmStream.MaxLineBytes, sent.Length);
        Assert.Equal(longest, await Of(sent.ToArray()).ReadAsync(TestDeadline.Token));
    }

    [Fact]
    public async Task Half_a_line_before_the_end_is_no_message()
    {
        await using var stream = Of("{\"type\":\"cancel\"}"u8.ToArray());
        Assert.Null(await stream.ReadAsync(TestDeadline.Token));
    }

    [Fact]
    public async Task A_field_of_a_later_version_is_passed_over()
    {
        await using var stream = Of("{\"type\":\"line\",\"text\":\"a\",\"colour\":\"red\"}\n"u8.ToArray());
        Assert.Equal(new PbmMessage.Line("a"), await stream.ReadAsync(TestDeadline.Token));
    }

    [Fact]
    public async Task Every_message_comes_back_as_it_was_however_the_network_cuts_it()
    {
        PbmMessage[] messages =
        [
            new PbmMessage.Hello(1, "0.1.0"), new PbmMessage.AskCatalogue(), new PbmMessage.Catalogue(Catalogues.Zoo),
            new PbmMessage.Call("run", "start", [new("name", "a\nb\u4e16"), new("config", "f", "text\n")], Json: true),
            new PbmMessage.Cancel(), new PbmMessage.Line("\u0000\u001b\"\\\n"), new PbmMessage.Beat(), new PbmMessage.End(3, "a\nb"),
            new PbmMessage.FilePiece("blobs/ab", [0, 255, 10], IsLast: true),
        ];
        var sent = new MemoryStream();
        var writer = new PbmStream(sent);
        foreach (var message in messages)
            await writer.WriteAsync(message, TestDeadline.Token);
        Assert.Equal(messages.Length, sent.ToArray().Count(b => b == '\n'));

        await using var reader = new PbmStream(new Drip(sent.ToArray()));
        foreach (var message in messages)
            Assert.Equal(await BytesOf(message), await BytesOf((await reader.ReadAsync(TestDeadline.Token))!));
        Assert.Null(await reader.ReadAsync(TestDeadline.Token));
    }

    [Fact]
    public async Task The_words_on_the_wire_are_those_of_version_1()
    {
        Assert.Equal("{\"type\":\"hello\",\"protocol\":1,\"version\":\"a\"}\n", await TextOf(new PbmMessage.Hello(1, "a")));
        Assert.Equal("{\"type\":\"ask-catalogue\"}\n", await TextOf(new PbmMessage.AskCatalogue()));
        Assert.Equal(
            "{\"type\":\"catalogue\",\"palettes\":[{\"name\":\"p\",\"description\":\"d\"," +
            "\"commands\":[{\"name\":\"c\",\"description\":\"e\",\"arguments\":" +
            "[{\"short\":\"s\",\"long\":\"long\",\"valueName\":\"V\",\"description\":\"f\"," +
            "\"required\":false,\"repeatable\":true,\"kind\":\"choice-or-file\"," +
            "\"choices\":[\"x\"]}],\"examples\":\"\"}]}]}\n",
            await TextOf(new PbmMessage.Catalogue(
                [new("p", "d",
                    [new("c", "e", [new("s", "long", "V", "f", Repeatable: true, Kind: ArgumentKind.ChoiceOrFile, Choices: ["x"])])])])));
        Assert.Equal(
            "{\"type\":\"call\",\"palette\":\"p\",\"command\":\"c\",\"values\":[{\"argument\":\"a\",\"value\":\"v\"}],\"json\":false}\n",
            await TextOf(new PbmMessage.Call("p", "c", [new("a", "v")], Json: false)));
        Assert.Equal("{\"type\":\"cancel\"}\n", await TextOf(new PbmMessage.Cancel()));
        Assert.Equal("{\"type\":\"line\",\"text\":\"t\"}\n", await TextOf(new PbmMessage.Line("t")));
        Assert.Equal("{\"type\":\"beat\"}\n", await TextOf(new PbmMessage.Beat()));
        Assert.Equal("{\"type\":\"end\",\"exitCode\":1,\"error\":\"e\"}\n", await TextOf(new PbmMessage.End(1, "e")));
    }

    private static PbmStream Of(byte[] bytes) => new(new MemoryStream(bytes));

    private static async Task<byte[]> BytesOf(PbmMessage message)
    {
        var sent = new MemoryStream();
        await new PbmStream(sent).WriteAsync(message, TestDeadline.Token);
        return sent.ToArray();
    }

    private static async Task<string> TextOf(PbmMessage message) => Encoding.UTF8.GetString(await BytesOf(message));

    // One byte at a time.
    private sealed class Drip(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..1], cancellationToken);
    }

    // Never ends, and never ends a line.
    private sealed class Endless : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            buffer.Span.Fill((byte)'x');
            return ValueTask.FromResult(buffer.Length);
        }
    }
}
