using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using static Elastic.Testing.RunSamples;

namespace Elastic.Coordination.Tests;

// What a supervisor does with nodes that are alive and of no use: that cannot fetch, whose devices hang, whose disks are full.
public sealed class UnreachableNodeTests : RunCoordinatorScene
{
    [Fact]
    public void Work_that_a_node_cannot_fetch_for_goes_to_one_that_has_not_failed_at_it()
    {
        Begin(1, A, Results(1));                                         // sums are due
        Enlist(B);
        Survey(B, Coordinator.Run.Current());
        foreach (var (node, other) in new[] { (A, B), (B, A) })
            if (Taken(node).OfType<WorkOrder>().FirstOrDefault(o => o.Content is Average) is { } order)
            {
                Fail(order, node, "blob 123: nobody has it", WorkFailure.Lost);
                SurveyAll();
                After(2);
                Step(new RunInput.Tick());
                Assert.Contains(order.Key, Taken(other).OfType<WorkOrder>().Select(o => o.Key));
                return;
            }

        Assert.Fail("nobody got the sums");
    }

    [Fact]
    public void A_run_that_goes_on_by_itself_waits_for_nobody_however_often_nodes_cannot_fetch()
    {
        Begin(1, A);
        for (var i = 0; i < 30; i++)
        {
            foreach (var order in Taken(A).OfType<WorkOrder>())
                Fail(order, A, "blob 123: nobody has it", WorkFailure.Lost);
            SurveyAll();
            After(40);
            Step(new RunInput.Tick());
            Assert.Null(Coordinator.Failure);
        }
    }

    [Fact]
    public void A_node_that_fetches_nothing_of_what_others_hold_rests()
    {
        var failures = new FailureHistory();
        for (var round = 0; round < 4; round++)
        {
            var work = new InFlightWork(ComputeWork.KeyOf(round, 0), B);
            Assert.False(failures.IsStubborn(work));
            failures.Note(work, new WorkFailed("blob 123: nobody has it", WorkFailure.Lost), TimeSpan.Zero, 0);
        }

        Assert.True(failures.IsStubborn(new InFlightWork(ComputeWork.KeyOf(4, 0), B)));
        Assert.False(failures.IsStubborn(new InFlightWork(ComputeWork.KeyOf(4, 0), A)));
        failures.Succeeded(new InFlightWork(ComputeWork.KeyOf(4, 1), B));
        Assert.False(failures.IsStubborn(new InFlightWork(ComputeWork.KeyOf(4, 0), B)));
    }

    [Fact]
    public void What_nodes_cannot_fetch_from_each_other_goes_by_way_of_a_seed()
    {
        var view = ClusterView.Empty.Enlist(A, [new DeviceId("cpu:0")]).Enlist(B, [new DeviceId("cpu:0")]).Enlist(C, [], seed: true)
            .Hold(A, At(1).Current()).Hold(B, At(1).Current()) with
        { Surveyed = true };
        var run = Fold(At(1), [.. Results(1)]);
        view = view.Hold(A, run.Finished[0].Contribution, run.Finished[0].InnerState)
            .Hold(B, run.Finished[1].Contribution, run.Finished[1].InnerState);
        Assert.DoesNotContain(run.Finished[0].Contribution, Copies(view, C));
        Assert.NotEmpty(Given(view, AverageWork.Kind.Name));

        // Everything is copied to the seed first, and nothing is given out that would have to be fetched from a worker.
        var relayed = view with { Relays = true };
        Assert.Superset(run.Current().ToHashSet(), Copies(relayed, C).ToHashSet());
        Assert.Empty(Given(relayed, AverageWork.Kind.Name));
        Assert.Contains("is not on a seed yet", Next(relayed).Reason, StringComparison.Ordinal);
        Assert.NotEmpty(Given(relayed.Hold(C, run.Current()), AverageWork.Kind.Name));
        Assert.NotEmpty(Given(relayed.Lose(C), AverageWork.Kind.Name));                    // without a seed there is no other way

        IEnumerable<Foundation.Digest> Copies(ClusterView v, NodeId to) =>
            Next(v).Given.Where(g => g.Node == to).Select(g => g.Content).OfType<Copy>().Select(c => c.Set);
        IEnumerable<Assignment> Given(ClusterView v, string kind) => Next(v).Given.Where(g => g.Key.Kind == kind);
        Scheduling Next(ClusterView v) => Scheduler.Next(run, v, Plan, default);
    }

    [Fact]
    public void After_two_failures_to_fetch_for_one_piece_of_work_everything_is_copied_to_a_seed()
    {
        Begin(1, A, Results(1));                                         // sums are due
        Enlist(B);
        Enlist(C, devices: 0, seed: true);
        SurveyAll();
        foreach (var node in new[] { A, B, A, B })
        {
            foreach (var order in Taken(node).OfType<WorkOrder>().Where(o => o.Content is Average))
                Fail(order, node, "blob 123: nobody has it", WorkFailure.Lost);
            SurveyAll();
            After(2);
            Step(new RunInput.Tick());
        }

        Assert.True(Coordinator.View.Relays);
        Assert.Superset(
            Coordinator.Run.Finished.Values.Select(r => r.Contribution).ToHashSet(),
            Taken(C).OfType<WorkOrder>().Select(o => o.Content).OfType<Copy>().Select(c => c.Set).ToHashSet());

        // What nobody has never comes to a seed. It is asked for, so that its loss is noticed.
        var held = Coordinator.Run.Finished.Values.First().Contribution;
        Assert.False(Coordinator.View.CanFetch(B, held));
        Assert.True(Coordinator.View.CanFetch(B, Elastic.Foundation.Digest.Of([42])));
    }

    [Fact]
    public void Bytes_that_come_before_the_first_step_are_a_sign_of_life_and_are_shown()
    {
        Begin(1, A);
        var slow = Taken(A).OfType<WorkOrder>().Select(o => o.Key).Single();
        Enlist(B, devices: 2);
        Survey(B, Coordinator.Run.Current());
        foreach (var mib in new[] { 1, 2, 3 })
        {
            After(200);
            Enlist(A, works: [Held(slow, 1)]);
            Enlist(B, devices: 2);
            Step(new RunInput.Reported(new NodeReport.Fetching(A, Id, slow, (long)mib << 20, 12L << 20)));
            Step(new RunInput.Tick());
            Assert.DoesNotContain(slow, Taken(B).OfType<WorkOrder>().Select(o => o.Key));
            Assert.Equal(
                $"bytes of replica {slow.Index}: {mib}.0 of 12.0 MiB are on a:7000 (a)", Coordinator.WaitsFor);
        }

        Step(new RunInput.Reported(new NodeReport.StepTaken(A, Id, 1, slow.Index, 1, 1, 1e-3)));
        Assert.Null(Coordinator.WaitsFor);
    }

    [Fact]
    public void A_node_that_fetches_nothing_any_more_before_its_first_step_is_given_up()
    {
        Begin(1, A);
        var slow = Taken(A).OfType<WorkOrder>().Select(o => o.Key).Single();
        After(200);
        Step(new RunInput.Reported(new NodeReport.Fetching(A, Id, slow, 1, 12L << 20)));
        After(200);
        Enlist(B, devices: 2);
        Survey(B, Coordinator.Run.Current());
        Step(new RunInput.Tick());
        Assert.DoesNotContain(slow, Taken(B).OfType<WorkOrder>().Select(o => o.Key));
        After(101);
        Step(new RunInput.Tick());
        Assert.Contains(slow, Taken(B).OfType<WorkOrder>().Select(o => o.Key));
    }

    [Fact]
    public void A_node_that_still_receives_bytes_of_a_copy_is_not_taken_for_one_that_hangs()
    {
        Begin(1, A);
        Enlist(B, devices: 0);
        Survey(B, []);
        var copies = Taken(B).OfType<WorkOrder>().Select(o => o.Key).ToList();
        Assert.NotEmpty(copies);
        for (var i = 0; i < 3; i++)
        {
            After(200);
            Enlist(B, devices: 0, works: [.. copies.Select(k => Held(k, 1))]);
            foreach (var key in copies)
                Step(new RunInput.Reported(new NodeReport.Fetching(B, Id, key, 1, 0)));
            Step(new RunInput.Tick());
            Assert.DoesNotContain(Taken(B), m => m is NodeCommand.Exclude);
        }

        After(301);
        Step(new RunInput.Tick());
        Assert.Contains(Taken(B), m => m is NodeCommand.Exclude);
    }

    [Fact]
    public void A_replica_that_makes_no_progress_is_computed_elsewhere_too()
    {
        Begin(1, A);
        var hung = Taken(A).OfType<WorkOrder>().Select(o => o.Key).Single();
        Step(new RunInput.Reported(new NodeReport.StepTaken(A, Id, 1, hung.Index, 1, 1, 1e-3)));
        Enlist(B, devices: 2);
        Survey(B, Coordinator.Run.Current());
        Assert.DoesNotContain(hung, Taken(B).OfType<WorkOrder>().Select(o => o.Key));
        After(14);
        Step(new RunInput.Tick());
        Assert.DoesNotContain(hung, Taken(B).OfType<WorkOrder>().Select(o => o.Key));
        After(2);
        Step(new RunInput.Tick());
        Assert.Contains(hung, Taken(B).OfType<WorkOrder>().Select(o => o.Key));

        // Slow is not dead: what it is at is not adopted while it rests, and its result counts.
        Enlist(A, works: [Held(hung, 1)]);
        Assert.DoesNotContain(Coordinator.View.InFlight.Keys, w => w.Node == A);
        Step(new RunInput.Answered(Finish(A, Result(1, hung.Index))));
        Assert.Contains(hung.Index, Coordinator.Run.Finished.Keys);
    }

    [Fact]
    public void Before_its_first_step_a_replica_has_five_minutes_to_fetch_and_where_nobody_else_is_it_goes_on()
    {
        var (stalls, work) = (new StallDetector(), new InFlightWork(ComputeWork.KeyOf(0, 0), A));
        Assert.False(stalls.IsStalled(work, Seconds(10), Seconds(310)));
        Assert.True(stalls.IsStalled(work, Seconds(10), Seconds(311)));
        stalls.Note(work, Seconds(300));
        Assert.False(stalls.IsStalled(work, Seconds(10), Seconds(315)));
        Assert.True(stalls.IsStalled(work, Seconds(10), Seconds(316)));
        stalls.Note(work, Seconds(302));                                 // steps of two seconds: twenty of them
        Assert.False(stalls.IsStalled(work, Seconds(10), Seconds(342)));
        Assert.True(stalls.IsStalled(work, Seconds(10), Seconds(343)));
        Assert.False(stalls.IsStalled(work, Seconds(303), Seconds(343)));   // given anew since: its first step is to come

        Begin(1, A);
        Assert.Single(Taken(A).OfType<WorkOrder>());
        After(1000);
        Step(new RunInput.Tick());
        Assert.False(Coordinator.View.Nodes[A].Leaving);

        static TimeSpan Seconds(double s) => TimeSpan.FromSeconds(s);
    }

    [Fact]
    public void A_full_disk_on_all_nodes_ends_by_itself_and_the_same_permanent_failure_on_two_does_not()
    {
        Begin(1, A);
        Enlist(B);
        Survey(B, Coordinator.Run.Current());
        FailAll("the disk is full", WorkFailure.Exhausted);
        Assert.Null(Coordinator.Failure);
        Assert.All(Coordinator.View.Nodes.Values, n => Assert.True(n.Leaving));
        After(31);
        Step(new RunInput.Tick());
        FailAll("the loss became NaN", WorkFailure.Permanent, one: true);
        After(120);
        Step(new RunInput.Tick());
        FailAll("the loss became NaN", WorkFailure.Permanent, one: true);
        FailAll("the loss became NaN", WorkFailure.Permanent);
        Assert.Equal("the loss became NaN", Coordinator.Failure);
    }

    private void FailAll(string why, WorkFailure kind, bool one = false)
    {
        foreach (var node in (NodeId[])[A, B])
            foreach (var order in Taken(node).OfType<WorkOrder>().Where(o => o.Content is Compute).Take(one ? 1 : 9))
                Fail(order, node, why, kind);
    }

    // All of them still have everything that they are asked for.
    private void SurveyAll()
    {
        if (Coordinator.View.Surveyed)
            return;
        foreach (var node in Coordinator.View.Nodes.Keys)
            Survey(node, node == A || Coordinator.View.Nodes.Count == 2 ? Coordinator.Run.Current() : []);
    }
}
