using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// What a node does with orders and commands that come twice, late, in parts, or while it is busy.
public sealed class NodeCoordinatorTests
{
    private readonly NodeCoordinator _node = NodeSamples.Node();

    public NodeCoordinatorTests() => Step(new NodeInput.HasDevices([new DeviceId("cpu:0")]));

    [Fact]
    public void An_order_of_a_run_that_was_never_opened_is_answered_by_asking_for_it()
    {
        Assert.Equal(new NodeReport.RunUnopened(A, Id, null), Sent(Step(Ordered(Replica(0)))).Single());
        Assert.Empty(Works());
    }

    [Fact]
    public void What_comes_while_a_run_is_being_opened_waits_and_counts_as_in_hand()
    {
        Step(new NodeInput.Commanded(Open));
        Step(Ordered(Replica(0)));
        Assert.Equal([ComputeWork.KeyOf(1, 0)], Works().Select(w => w.Key));
        Assert.Contains(Step(new NodeInput.Opened(Id, 1, null)), o => o is NodeOutput.Reschedule);
        Assert.Equal([1], Starts());
    }

    [Fact]
    public void A_run_whose_settings_come_in_parts_is_opened_once_with_all_of_them()
    {
        var parts = Part.Cut("the settings of a run", 8).Select(p => Open with { Settings = p.Text, Part = p.Part }).ToList();
        Assert.Equal(3, parts.Count);
        Assert.DoesNotContain(parts.SkipLast(1).SelectMany(p => Step(new NodeInput.Commanded(p))), o => o is NodeOutput.Open);
        var open = Step(new NodeInput.Commanded(parts[^1])).OfType<NodeOutput.Open>().Single();
        Assert.Equal("the settings of a run", open.Command.Settings);
    }

    [Fact]
    public void A_run_that_cannot_be_opened_is_said_and_what_was_asked_of_it_with_it()
    {
        Step(new NodeInput.Commanded(Open));
        Step(Ordered(Replica(0)));
        var outputs = Step(new NodeInput.Opened(Id, 1, "the disk is full"));
        Assert.All(Sent(outputs), m => Assert.Equal(new NodeReport.RunUnopened(A, Id, "the disk is full"), m));
        Assert.Empty(Works());
    }

    [Fact]
    public void Why_the_seed_does_not_let_the_node_in_is_said_once_until_it_is_let_in()
    {
        var wait = new NodeInput.Told(new NodeNews.Wait("its two planes are on two machines"));
        Assert.Equal(
            new NodeOutput.Say("the supervising seed does not let this node in for now: its two planes are on two machines"),
            Assert.Single(Step(wait)));
        Assert.Empty(Step(wait));
        Step(new NodeInput.Told(new NodeNews.Welcome("127.0.0.1:80")));
        Assert.Single(Step(wait));
    }

    [Fact]
    public void The_same_order_twice_is_begun_once()
    {
        Opened();
        Step(Ordered(Replica(0)));
        Step(Ordered(Replica(0)));
        Step(Ordered(Replica(0, number: 5)));                            // the same work, ordered again by a new supervisor
        Assert.Equal([1], Starts());
        Assert.Equal(new OrderId(1, 1), Works().Single().Order);
    }

    [Fact]
    public void An_answer_is_given_again_with_every_order_and_heartbeat_until_it_is_acknowledged()
    {
        Opened();
        Step(Ordered(Replica(0)));
        Starts();
        var computed = new Computed(Result(1, 0));
        Assert.Equal(Answered(computed), Sent(Step(new NodeInput.Ended(1, computed))).Single());
        Assert.Equal(Answered(computed), Sent(Step(Ordered(Replica(0)))).Single());
        Step(new NodeInput.Beat());                                      // just told: once more with the next
        Assert.Contains(Answered(computed), Sent(Step(new NodeInput.Beat())));
        Step(new NodeInput.Commanded(new NodeCommand.DropWork(Id, [ComputeWork.KeyOf(1, 0)])));
        Assert.Single(Sent(Step(new NodeInput.Beat())));                 // the heartbeat alone
        Assert.Empty(Works());
    }

    [Fact]
    public void Work_that_is_ordered_for_another_version_takes_the_place_of_the_older_order()
    {
        Opened();
        Step(Ordered(Replica(0)));
        Starts();
        var outputs = Step(Ordered(Replica(0, number: 2) with { From = D("another version") }));
        Assert.Equal([1], outputs.OfType<NodeOutput.Abandon>().Select(a => a.Work));
        Assert.Empty(Sent(Step(new NodeInput.Ended(1, new Computed(Result(1, 0))))));       // nobody waits for it
        Assert.Equal([2], Starts());
        Assert.Equal(D("another version"), Works().Single().From);
    }

    [Fact]
    public void An_older_order_that_is_delayed_does_not_take_the_place_of_a_newer_one()
    {
        Opened();
        Step(Ordered(Replica(0, number: 2)));
        Assert.DoesNotContain(Step(Ordered(Replica(0) with { From = D("an older version") })), o => o is NodeOutput.Abandon);
        Assert.Equal(Version(1), Works().Single().From);
    }

    [Fact]
    public void Sums_that_are_ordered_again_are_made_again_since_their_inputs_may_be_others()
    {
        Opened();
        var first = Order(AverageWork.KeyOf(1, 0), new Average(1, [0, 1], Version(1), [D("contribution 1 0"), D("contribution 1 1")]));
        Assert.Equal([1], Step(Ordered(first)).OfType<NodeOutput.Start>().Select(s => s.Work));
        var second = Order(AverageWork.KeyOf(1, 0), new Average(1, [0, 1], Version(1), [D("another"), D("contribution 1 1")]), 2);
        Assert.Equal([2], Step(Ordered(second)).OfType<NodeOutput.Start>().Select(s => s.Work));
    }

    [Fact]
    public void A_stop_hands_over_what_is_computed_forgets_what_waits_and_says_when_all_is_put_down()
    {
        Opened();
        Step(Ordered(Replica(0)));
        Step(Ordered(Replica(1)));
        Assert.Equal([1], Starts());                                     // there is one device
        var outputs = Step(new NodeInput.Commanded(new NodeCommand.StopRun(Id)));
        Assert.Equal([1], outputs.OfType<NodeOutput.Stop>().Select(s => s.Work));
        Assert.Equal([ComputeWork.KeyOf(1, 0)], Works().Select(w => w.Key));
        var handedOver = new HandedOver(HandOver(1, 0, 2));
        Assert.Equal([Answered(handedOver)], Sent(Step(new NodeInput.Ended(1, handedOver))));
        Assert.Empty(Starts());
        // The answer may be lost: until it is acknowledged, the supervisor must not believe that this node has nothing to hand over.
        Step(new NodeInput.Beat());
        Assert.Contains(Answered(handedOver), Sent(Step(new NodeInput.Beat())));
        Assert.Equal(
            [new NodeReport.RunIdle(A, Id)],
            Sent(Step(new NodeInput.Commanded(new NodeCommand.DropWork(Id, [ComputeWork.KeyOf(1, 0)])))));
    }

    [Fact]
    public void A_node_that_leaves_stops_takes_no_more_work_and_goes_when_every_run_has_released_it()
    {
        Opened();
        Step(Ordered(Replica(0)));
        Starts();
        Assert.Contains(Step(new NodeInput.Leave()), o => o is NodeOutput.Stop);
        Step(Ordered(Replica(1)));
        Assert.Equal([ComputeWork.KeyOf(1, 0)], Works().Select(w => w.Key));
        Assert.Contains(Step(new NodeInput.Commanded(new NodeCommand.Release(Id, 0))), o => o is NodeOutput.Left);
    }

    [Fact]
    public void A_node_that_drains_stops_says_when_it_may_go_and_takes_work_again_when_somebody_wants_it()
    {
        Opened();
        Step(Ordered(Replica(0)));
        Starts();
        var begun = Step(new NodeInput.Told(new NodeNews.Drain("7", Undo: false)));
        Assert.Contains(begun, o => o is NodeOutput.Stop);
        Assert.Contains(new NodeReport.DrainChanged(A, "7", IsDraining: true), Sent(begun));
        Step(Ordered(Replica(1)));
        Assert.Equal([ComputeWork.KeyOf(1, 0)], Works().Select(w => w.Key));
        Step(new NodeInput.Ended(1, new HandedOver(HandOver(1, 0, 2))));
        Step(new NodeInput.Commanded(new NodeCommand.DropWork(Id, [ComputeWork.KeyOf(1, 0)])));
        Assert.Equal((true, true, false), Drain());

        Step(new NodeInput.Commanded(new NodeCommand.Release(Id, 0)));                    // of before
        Assert.Equal((true, true, false), Drain());
        Assert.DoesNotContain(Step(new NodeInput.Commanded(new NodeCommand.Release(Id, 1))), o => o is NodeOutput.Left);
        Assert.Equal((true, true, true), Drain());
        for (var silent = 0; silent < 3; silent++)
            Drain();
        Assert.Equal((true, true, false), Drain());                                       // nobody says so any more

        Assert.Contains(
            new NodeReport.DrainChanged(A, "8", IsDraining: false), Sent(Step(new NodeInput.Told(new NodeNews.Drain("8", Undo: true)))));
        Assert.Equal((false, false, false), Drain());
        Step(Ordered(Replica(1)));
        Assert.Equal([2], Starts());
        Step(new NodeInput.Commanded(new NodeCommand.Release(Id, 1)));                    // late
        Assert.DoesNotContain(Step(new NodeInput.Leave()), o => o is NodeOutput.Left);

        (bool, bool, bool) Drain() =>
            Sent(Step(new NodeInput.Beat())).OfType<NodeReport.Enlist>().Select(r => (r.Leaving, r.Draining, r.Drained)).Single();
    }

    [Fact]
    public void A_node_that_leaves_after_a_drain_waits_for_a_release_of_now()
    {
        Opened();
        Step(new NodeInput.Told(new NodeNews.Drain("7", Undo: false)));
        Step(new NodeInput.Commanded(new NodeCommand.Release(Id, 1)));
        for (var silent = 0; silent < 4; silent++)
            Step(new NodeInput.Beat());
        Assert.DoesNotContain(Step(new NodeInput.Leave()), o => o is NodeOutput.Left);
        // A run that no seed knows any more is released by the answer.
        Assert.Contains(new NodeReport.RunIdle(A, Id), Sent(Step(new NodeInput.Beat())));
        Assert.Contains(Step(new NodeInput.Commanded(new NodeCommand.Release(Id, 1))), o => o is NodeOutput.Left);
    }

    [Fact]
    public void A_run_that_is_deleted_while_it_is_opened_leaves_nothing_and_the_node_drains()
    {
        Step(new NodeInput.Commanded(Open));
        Step(Ordered(Replica(0)));
        Step(new NodeInput.Commanded(new NodeCommand.DeleteRun(Id)));
        Step(new NodeInput.Told(new NodeNews.Drain("7", Undo: false)));
        Assert.Equal([new NodeOutput.Delete(Id)], Step(new NodeInput.Opened(Id, 1, null)));
        Step(new NodeInput.Beat());
        Assert.True(Sent(Step(new NodeInput.Beat())).OfType<NodeReport.Enlist>().Single().Drained);
        Assert.Contains(Step(new NodeInput.Leave()), o => o is NodeOutput.Left);
    }

    [Fact]
    public void A_run_that_is_opened_anew_is_open_only_when_its_own_opening_has_ended()
    {
        Step(new NodeInput.Commanded(Open));
        Step(new NodeInput.Commanded(new NodeCommand.DeleteRun(Id)));
        Step(new NodeInput.Commanded(Open));
        Step(Ordered(Replica(0)));
        Assert.Empty(Step(new NodeInput.Opened(Id, 1, null)));            // of what was deleted
        Assert.Empty(Starts());
        Assert.Contains(Step(new NodeInput.Opened(Id, 1, null)), o => o is NodeOutput.Reschedule);
        Assert.Equal([1], Starts());
    }

    [Fact]
    public void A_node_that_works_for_no_run_may_go_at_once() => Assert.Contains(Step(new NodeInput.Leave()), o => o is NodeOutput.Left);

    [Fact]
    public void Parts_of_two_orders_are_never_put_together()
    {
        Opened();
        var chunks = Enumerable.Range(0, 450).Select(c => Chunk(1, c)).ToArray();
        WorkOrder Piece(int index, int number) =>
            Order(AssembleWork.KeyOf(1), new Assemble(1, chunks[(225 * index)..(225 * index + 225)]), number) with
            {
                Part = new Part(index, 2)
            };

        Assert.DoesNotContain(Step(Ordered(Piece(0, 1))), o => o is NodeOutput.Start);
        Assert.DoesNotContain(Step(Ordered(Piece(1, 2))), o => o is NodeOutput.Start);
        var start = Assert.Single(Step(Ordered(Piece(0, 2))).OfType<NodeOutput.Start>());
        Assert.Equal(Enumerable.Range(0, 450), ((Assemble)start.Order.Content).Chunks.Select(c => c.Chunk));
        Assert.Equal(new OrderId(1, 2), start.Order.Id);
    }

    [Fact]
    public void Parts_of_which_one_never_comes_are_forgotten()
    {
        var parts = new MessageParts();
        RunRequest.Start Piece(int start, int index) =>
            Begin with { Origin = Begin.Origin with { Id = $"{start}" }, Settings = $"{index}", Part = new Part(index, 2) };

        Assert.Null(parts.Join(Piece(0, 0)));
        for (var i = 1; i < 64; i++)
            Assert.Null(parts.Join(Piece(i, 0)));
        Assert.Equal("01", parts.Join(Piece(0, 1))!.Settings);           // 64 may be incomplete at once
        for (var i = 64; i < 200; i++)
            Assert.Null(parts.Join(Piece(i, 0)));
        Assert.Null(parts.Join(Piece(1, 1)));
        Assert.Equal("01", parts.Join(Piece(199, 1))!.Settings);
        Assert.Null(parts.Join(Piece(300, 0) with { Part = new Part(0, int.MaxValue) }));
    }

    [Fact]
    public void Blobs_belong_to_the_round_of_the_newest_order_also_where_the_run_has_gone_back()
    {
        Opened();
        Assert.Equal([7], Rounds(Copying(7, 3)));
        Assert.Empty(Rounds(Copying(6, 2)));                             // late
        Assert.Equal([4], Rounds(Copying(4, 5)));                        // rolled back
        Assert.DoesNotContain(Step(Retaining(3)), o => o is NodeOutput.Retain);
        Assert.Contains(Step(Retaining(6)), o => o is NodeOutput.Retain);

        // A database that was put back to an older state has older terms.
        Step(new NodeInput.Commanded(Open with { Number = new OrderId(0, 1) }));
        Step(new NodeInput.Opened(Id, 1, null));
        Assert.Equal([2], Rounds(Copying(2, 2) with { Id = new OrderId(0, 2) }));

        WorkOrder Copying(int round, int number) => Order(CopyWork.KeyOf(round, number), new Copy(D("set")), number);
        IEnumerable<int> Rounds(WorkOrder order) => Step(Ordered(order)).OfType<NodeOutput.BeginRound>().Select(b => b.Round);
        NodeInput Retaining(int number) =>
            new NodeInput.Commanded(new NodeCommand.Retain(Id, new OrderId(1, number), 4, [], [], Part.Whole));
    }

    [Fact]
    public void A_device_that_goes_finishes_what_it_does_and_one_that_comes_takes_what_waits()
    {
        Opened();
        Step(Ordered(Replica(0)));
        Step(Ordered(Replica(1)));
        Assert.Equal([1], Starts());
        Assert.Equal([2], Step(new NodeInput.HasDevices([new DeviceId("cpu:1")])).OfType<NodeOutput.Start>().Select(s => s.Work));
        Step(new NodeInput.Ended(1, new Computed(Result(1, 0))));
        Step(Ordered(Replica(1, round: 2)));
        Assert.Empty(Starts());                                          // cpu:0 is gone, cpu:1 at work
    }

    [Fact]
    public void Devices_that_are_left_over_speed_a_replica_up_as_far_as_it_can_use_them()
    {
        Step(new NodeInput.HasDevices([.. Enumerable.Range(0, 4).Select(i => new DeviceId($"cpu:{i}"))]));
        Opened(mostDevices: 3);
        Step(Ordered(Replica(0)));
        Assert.Equal(3, Step(new NodeInput.Schedule()).OfType<NodeOutput.Start>().Single().Devices.Count);
    }

    private static readonly NodeCommand.OpenRun Open = new(Id)
    {
        Number = new OrderId(1, 1),
        Settings = "{}",
        Corpus = D("corpus"),
        Manifest = null,
        Sources = [],
        Part = Part.Whole,
    };

    private static WorkOrder Order(WorkKey key, WorkContent content, int number = 1) => new()
    {
        Job = Id.Job,
        Id = new OrderId(1, number),
        Key = key,
        From = Version(1),
        Sources = [],
        Part = Part.Whole,
        Content = content,
    };

    private static WorkOrder Replica(int replica, int number = 1, int round = 1) =>
        Order(ComputeWork.KeyOf(round, replica), new Compute(round, replica, Version(1), null, null, Plan.At(round)), number);

    private static NodeInput.Ordered Ordered(WorkOrder order) => new(order);

    private static WorkResult Answered(WorkOutcome outcome) =>
        new(Id.Job, A, new OrderId(1, 1), ComputeWork.KeyOf(1, 0), Version(1), outcome);

    private void Opened(int mostDevices = 1)
    {
        Step(new NodeInput.Commanded(Open));
        Step(new NodeInput.Opened(Id, mostDevices, null));
    }

    private IReadOnlyList<NodeOutput> Step(NodeInput input) => _node.Step(input);

    // Numbers of the works that are begun when devices are shared out.
    private List<int> Starts() => [.. Step(new NodeInput.Schedule()).OfType<NodeOutput.Start>().Select(s => s.Work)];

    // What the node has in hand by its own account.
    private HeldWork[] Works() => [.. Sent(Step(new NodeInput.Beat())).OfType<NodeReport.Enlist>().Single().Pieces()];

    private static List<IWireMessage> Sent(IReadOnlyList<NodeOutput> outputs) =>
        [.. outputs.OfType<NodeOutput.Send>().Select(s => s.Message)];
}
