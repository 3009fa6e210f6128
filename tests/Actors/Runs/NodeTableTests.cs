using Akka.Actor;
using Elastic.Actors.Runs;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Coordination;
using Elastic.Messages.Runs;
using Elastic.Messages.Wire;
using Elastic.Messages.Work;

namespace Elastic.Actors.Tests.Runs;

// A data directory that was copied, with the node's id in it: two processes say that they are one node.
public sealed class NodeTableTests
{
    private static readonly NodeReport.Enlist First = Report("10.0.0.1:4053", "one"), Copy = Report("10.0.0.2:4053", "two");

    private readonly HandClock _clock = new();
    private readonly NodeTable _table;

    public NodeTableTests() => _table = new NodeTable(_clock);

    [Fact]
    public void A_second_process_at_another_address_waits_and_is_then_told_what_to_do()
    {
        Note(First);
        for (var second = 0; second <= 20; second++)
        {
            Assert.Equal(new NodeNews.Wait("the node gpu7-8h2m4xyq is at 10.0.0.1:4053"), _table.Clash(Copy));
            Pass(1);
        }

        Assert.Equal(
            new NodeNews.Refused("the node gpu7-8h2m4xyq is at 10.0.0.1:4053 already: this data directory was copied from there; " +
                                 "delete the file node-id in it, then start this process again"),
            _table.Clash(Copy));
        Assert.Null(_table.Clash(First));
    }

    [Fact]
    public void Only_the_link_with_which_a_node_enlisted_speaks_in_its_name()
    {
        using var system = ActorSystem.Create("links", "akka { loglevel = OFF, stdout-loglevel = OFF }");
        using Inbox own = Inbox.Create(system), other = Inbox.Create(system);
        Assert.True(_table.MaySpeakFor(First.Node, other.Receiver));       // not enlisted yet: the supervisors drop it
        _table.Note(First, own.Receiver);
        Assert.True(_table.MaySpeakFor(First.Node, own.Receiver));
        Assert.False(_table.MaySpeakFor(First.Node, other.Receiver));
        _table.Note(First, other.Receiver);                                // the process has joined anew
        Assert.True(_table.MaySpeakFor(First.Node, other.Receiver));
    }

    [Fact]
    public void The_first_process_is_not_disturbed_by_the_second()
    {
        Note(First);
        _table.Clash(Copy);
        Assert.Null(_table.Clash(First));
        Assert.Equal("10.0.0.1:4053", _table.AddressOf(First.Node));
        Assert.Equal("10.0.0.1:4053", Assert.Single(_table.Views()).Address);
    }

    [Theory]
    [InlineData("10.0.0.1:4053", "akka.tcp://elastic@10.0.0.1:4053", true)]
    [InlineData("10.0.0.1:4053", "akka://elastic", true)]
    [InlineData("10.0.0.1:4053", "akka.tcp://elastic@10.0.0.1:4054", false)]
    [InlineData("10.0.0.1:4053", "akka.tcp://elastic@169.254.169.254:80", false)]
    [InlineData("10.0.0.1:4053", "akka.tcp://elastic@0.0.0.0:1", false)]
    public void Why_a_node_is_not_let_in_is_told_to_where_it_says_that_it_is_and_to_nobody_else(string control, string from, bool told) =>
        Assert.Equal(told, NodeTable.IsFrom(First with { Address = control }, Akka.Actor.Address.Parse(from)));

    [Theory]
    [InlineData("10.0.0.1:4053", "10.0.0.1:4080", "akka.tcp://elastic@10.0.0.1:4053", null)]
    [InlineData("[fe80::1]:4053", "[fe80::1]:4080", "akka.tcp://elastic@[fe80::1]:4053", null)]
    [InlineData("10.0.0.1:4053", "10.0.0.1:4080", "akka://elastic", null)]
    [InlineData("gpu7:4053", "GPU7:4080", "akka.tcp://elastic@GPU7:4053", null)]
    [InlineData("10.0.0.1:4053", "169.254.169.254:80", "akka.tcp://elastic@10.0.0.1:4053", "both are on one machine")]
    [InlineData("10.0.0.9:4053", "10.0.0.9:4080", "akka.tcp://elastic@10.0.0.1:4053", "and speaks from akka.tcp://elastic@10.0.0.1:4053")]
    [InlineData("10.0.0.1:4053", "10.0.0.1:4080", "akka.tcp://elastic@0.0.0.0:1", "and speaks from")]
    [InlineData("10.0.0.1:4053", "http://10.0.0.1/x", "akka.tcp://elastic@10.0.0.1:4053", "is no address")]
    [InlineData("nowhere", "10.0.0.1:4080", "akka.tcp://elastic@10.0.0.1:4053", "is no address")]
    public void A_node_is_where_it_says_that_it_is(string control, string data, string from, string? problem)
    {
        var found = NodeTable.ProblemOf(First with { Address = control, Endpoint = data }, Akka.Actor.Address.Parse(from));
        if (problem is null)
            Assert.Null(found);
        else
            Assert.Contains(problem, found, StringComparison.Ordinal);
    }

    [Fact]
    public void A_node_that_began_anew_at_its_old_address_is_welcome_at_once()
    {
        Note(First);
        Assert.Null(_table.Clash(First with { Incarnation = "two" }));
    }

    [Fact]
    public void A_process_that_has_moved_comes_back_at_another_address_under_its_incarnation()
    {
        Note(First);
        Assert.Null(_table.Clash(First with { Address = "10.0.0.2:4053" }));
    }

    [Fact]
    public void A_node_that_begins_anew_elsewhere_is_welcome_once_the_old_process_is_silent()
    {
        Note(First);
        Assert.IsType<NodeNews.Wait>(_table.Clash(Copy));
        _clock.Advance(3.5);
        Assert.Null(_table.Clash(Copy));
    }

    [Fact]
    public void A_node_that_begins_anew_elsewhere_is_welcome_once_the_old_process_is_given_up()
    {
        Note(First);
        Assert.True(_table.Lose(First.Node));
        Assert.Null(_table.Clash(Copy));
    }

    [Fact]
    public void A_node_that_left_as_it_said_is_shown_no_more_and_one_that_was_lost_is_suspected_for_a_while()
    {
        Note(First with { Leaving = true });
        Assert.Equal("leaving", Assert.Single(_table.Views()).State);
        Assert.True(_table.Lose(First.Node));
        Assert.Empty(_table.Views());
        Assert.False(_table.Lose(First.Node));

        Note(First);
        Assert.True(_table.Lose(First.Node));
        Assert.Equal("suspected", Assert.Single(_table.Views()).State);
    }

    [Fact]
    public void A_node_that_drains_is_shown_so_and_only_once_it_is_drained_its_end_is_what_was_announced()
    {
        var draining = First with { Leaving = true, Draining = true };
        Note(draining);
        Assert.Equal(("draining", false), (Assert.Single(_table.Views()).State, _table.IsLeaving(First.Node)));
        _table.Distrust(First.Node);
        Note(draining with { Drained = true });
        Assert.Equal(("drained", true), (Assert.Single(_table.Views()).State, _table.IsLeaving(First.Node)));
        Note(draining);
        Assert.True(_table.Lose(First.Node));
        Assert.Equal("suspected", Assert.Single(_table.Views()).State);
    }

    [Fact]
    public void A_wait_that_was_over_does_not_count_for_the_next_one()
    {
        Note(First);
        _table.Clash(Copy);
        _clock.Advance(30);
        Assert.Null(_table.Clash(Copy));                                // the first one was silent for that long
        Note(First);
        Assert.IsType<NodeNews.Wait>(_table.Clash(Copy));
    }

    [Fact]
    public void A_thousand_nodes_come_in_pages_below_64_KiB_however_much_work_they_have()
    {
        for (var i = 0; i < 1000; i++)
            Note(First with
            {
                Node = new NodeId($"a-machine-with-a-long-name-of-its-own-{i:0000}"),
                Devices = [.. Enumerable.Range(0, 64).Select(d => new DeviceId($"cpu:{d}"))],
                Arithmetic = new string('a', 60),
                Works = HeldWorks.Of(Enumerable.Range(0, 400).Select(w => new HeldWork(
                    new JobId($"{new string('r', 64)}-3k9v2mq7"), new OrderId(1, w), ComputeWork.KeyOf(100_000, w), null))),
            });
        var codec = new WireCodec(typeof(WorkKind).Assembly);
        var (seen, after) = (new List<NodeView>(), (string?)null);
        do
        {
            var page = RunsAnswer.Nodes.Page(_table.Views(), after, "10.0.0.1:4053");
            Assert.InRange(codec.Write(page).Length, 0, 64 << 10);
            seen.AddRange(page.Views);
            after = page.Next;
        }
        while (after is not null);
        Assert.Equal(1000, seen.Select(n => n.Node).Distinct().Count());
        Assert.Equal("and 390 more", seen[0].Work[^1]);
    }

    private void Note(NodeReport.Enlist report) => _table.Note(report, ActorRefs.Nobody);

    // The first process goes on saying that it is there.
    private void Pass(double seconds)
    {
        _clock.Advance(seconds);
        Note(First);
    }

    private static NodeReport.Enlist Report(string address, string incarnation) => new(new NodeId("gpu7-8h2m4xyq"))
    {
        Devices = [],
        Incarnation = incarnation,
        Address = address,
        Endpoint = "10.0.0.1:4080",
        Seed = false,
        Version = "0.2",
        Arithmetic = "",
        Works = [],
        Leaving = false,
    };
}
