namespace Elastic.Messages.Tests;

public sealed class IdentifierTests
{
    public static TheoryData<string, Func<string, string>, int> Kinds => new()
    {
        { "RunName", s => new RunName(s).Value, 64 },
        { "RunId", s => new RunId(s).Value, 80 },
        { "JobId", s => new JobId(s).Value, 80 },
        { "NodeId", s => new NodeId(s).Value, 80 },
        { "DeviceId", s => new DeviceId(s).Value, 32 },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_could_be_a_path_a_line_or_nothing_at_all_is_refused_with_what_it_was_meant_to_be(
        string kind, Func<string, string> make, int most)
    {
        foreach (var bad in new[] { "", ".", "..", ".hidden", "a/b", "a\\b", "../a", "a b", "a\n", "\0",
            "\u00e9", "a\u200b", "%2e", "a;b", "a'b", "$a" })
            Assert.Equal(
                $"\"{bad}\" is no {kind}: use 1 to {most} letters, digits, '-', '_', '.' and ':'",
                Assert.Throws<ArgumentException>(() => make(bad)).Message);
        Assert.Throws<ArgumentException>(() => make(null!));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void One_character_too_many_is_refused_and_the_refusal_is_no_longer_than_needed(string kind, Func<string, string> make, int most)
    {
        Assert.Equal(new string('a', most), make(new string('a', most)));
        Assert.StartsWith(
            $"\"{new string('a', most)}\u2026\" is no {kind}:",
            Assert.Throws<ArgumentException>(() => make(new string('a', 1_000_000))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_people_and_machines_use_is_taken_as_it_is(string kind, Func<string, string> make, int most)
    {
        Assert.All(["a", "A", "0", "gpt2-124m_a.2", "cuda:3", "10.0.0.7:4053", "-", "a..b"], good => Assert.Equal(good, make(good)));
        Assert.NotEqual(make("a"), make("A"));
        Assert.InRange(kind.Length, 1, most);
    }

    [Fact]
    public void A_logical_device_is_named_by_its_GPU_and_its_number_there()
    {
        var part = new DeviceId("cuda:3#12");
        Assert.Equal((new DeviceId("cuda:3"), ("cuda", 3, 12)), (part.Whole(), part.Parts!.Value));
        Assert.Equal((new DeviceId("cuda:3"), ("cuda", 3, null)), (new DeviceId("cuda:3").Whole(), new DeviceId("cuda:3").Parts!.Value));
        Assert.All(["cpu", "cpu:", "cpu:x", "cpu:0:1", "cpu:-1"], other => Assert.Null(new DeviceId(other).Parts));
        Assert.All(
            ["#1", "cuda:0#", "cuda:0#1#2", "cuda:0#a", "cuda:0#-1", "cuda:0# 1", "a/b#1", $"{new string('a', 31)}#1", "a#99999999999"],
            bad => Assert.Throws<ArgumentException>(() => new DeviceId(bad)));
    }

    [Fact]
    public void A_run_s_id_is_its_name_and_what_was_drawn()
    {
        Assert.Equal("tiny-00000000", RunId.Draw(new RunName("tiny"), [0, 0, 0, 0, 0]).Value);
        Assert.Equal("tiny-zzzzzzzz", RunId.Draw(new RunName("tiny"), [255, 255, 255, 255, 255]).Value);
        Assert.Equal("tiny-00000001", RunId.Draw(new RunName("tiny"), [0, 0, 0, 0, 1, 77]).Value);
        Assert.Equal(new RunName("a-b"), RunId.Draw(new RunName("a-b"), [1, 2, 3, 4, 5]).Name);
        Assert.Equal("tiny-3k9v2mq7", new RunId("tiny-3k9v2mq7").Job.Value);
    }

    [Fact]
    public void The_longest_name_has_a_run_id() =>
        Assert.Equal(64 + 9, RunId.Draw(new RunName(new string('a', 64)), [1, 2, 3, 4, 5]).Value.Length);

    [Theory]
    [InlineData("old", "old")]
    [InlineData("-a", "-a")]
    [InlineData("a-", "a")]
    public void An_id_without_anything_drawn_is_its_own_name(string id, string name) => Assert.Equal(new RunName(name), new RunId(id).Name);

    [Theory]
    [InlineData("gpu7", "gpu7-00000000")]
    [InlineData("gpu7.example.org", "gpu7exampleorg-00000000")]
    [InlineData("Anna's MacBook", "AnnasMacBook-00000000")]
    [InlineData("\u4e16\u754c", "node-00000000")]
    [InlineData("", "node-00000000")]
    public void A_machine_s_name_makes_a_node_s_id_readable_and_what_does_not_fit_is_left_out(string machine, string id) =>
        Assert.Equal(id, NodeId.Draw(machine, [0, 0, 0, 0, 0]).Value);

    [Fact]
    public void A_long_machine_name_is_cut() => Assert.Equal(40 + 9, NodeId.Draw(new string('a', 300), [1, 2, 3, 4, 5]).Value.Length);

    [Fact]
    public void All_bits_that_were_drawn_count()
    {
        var none = Identifier.Drawn(new byte[Identifier.DrawnBytes]);
        for (var bit = 0; bit < 8 * Identifier.DrawnBytes; bit++)
        {
            var bytes = new byte[Identifier.DrawnBytes];
            bytes[bit / 8] = (byte)(1 << (bit % 8));
            Assert.Equal(1, Identifier.Drawn(bytes).Zip(none).Count(pair => pair.First != pair.Second));
        }
    }
}
