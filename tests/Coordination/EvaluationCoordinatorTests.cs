using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination.Tests;

public sealed class EvaluationCoordinatorTests
{
    private static readonly RunId Job = new("eval-tiny-3k9v2mq7");
    private static readonly NodeId A = new("a"), B = new("b"), C = new("c");
    private static readonly Random Chance = new(1);

    private readonly EvaluationCoordinator _coordinator = new(Job, 7);
    private TimeSpan _now = TimeSpan.FromSeconds(1);

    [Fact]
    public void Pieces_go_to_all_nodes_of_one_arithmetic_after_the_job_was_opened_there()
    {
        Enlist(A);
        Enlist(B);
        Enlist(C, arithmetic: "cpu 1");
        var outputs = Ask(0, 5);
        Assert.Equal([A, B], Opened(outputs));
        Assert.Equal([(0, A), (1, B), (2, A), (3, B)], Orders(outputs));
        var order = outputs.OfType<RunOutput.Send>().Select(s => s.Message).OfType<WorkOrder>().First();
        Assert.Equal(
            (Job.Job, new WorkKey("score", 0, 0), D("parameters"), "10.0.0.9:80"),
            (order.Job, order.Key, order.From!.Value, order.Sources[0]));
        Assert.Equal(new ScoreRows(D("parameters"), D("piece 0")), order.Content);
        Assert.Equal(("cpu 2", 2), (_coordinator.Show().Arithmetic, _coordinator.Show().Nodes));
    }

    [Fact]
    public void Scores_are_shown_in_order_and_forgotten_once_they_were_taken()
    {
        Enlist(A);
        Enlist(B);
        Ask(0, 4);
        Answer(B, 1);
        Assert.Empty(_coordinator.Show().Scores);                       // the first one is missing
        Answer(A, 0);
        Assert.Equal([Nats(0), Nats(1)], _coordinator.Show().Scores.Select(s => s.Nats));
        Ask(1, 4);
        Assert.Equal((1, 1), (_coordinator.Show().First, _coordinator.Show().Scores.Length));
        Ask(0, 4);                                                      // overtaken by the newer one
        Assert.Equal(1, _coordinator.Show().First);
    }

    [Fact]
    public void What_a_lost_node_had_is_given_out_anew()
    {
        Enlist(A);
        Enlist(B);
        Ask(0, 4);
        Answer(A, 0);
        Assert.Equal([(1, A)], Orders(Step(new RunInput.Lost(B))));
        Assert.Equal([(3, A)], Orders(Answer(A, 2)));
    }

    [Fact]
    public void An_idle_node_takes_over_what_takes_long_elsewhere()
    {
        Enlist(A);
        Enlist(B);
        Ask(0, 2);
        Answer(A, 0);
        _now += TimeSpan.FromSeconds(9);
        Enlist(B, (1, 7));
        Assert.Empty(Orders(Step(new RunInput.Tick())));
        Assert.Null(_coordinator.Show().WaitsFor);
        _now += TimeSpan.FromSeconds(2);
        Assert.Equal([(1, A)], Orders(Step(new RunInput.Tick())));
        var end = Answer(A, 1);
        Assert.Contains(end, o => o is RunOutput.Send { Node.Value: "b", Message: NodeCommand.DropWork });
    }

    [Fact]
    public void Two_nodes_that_score_the_same_differently_end_the_evaluation()
    {
        Enlist(A);
        Enlist(B);
        Ask(0, 2);
        Answer(A, 0);
        Answer(B, 0);
        Assert.Null(_coordinator.Show().Failure);
        Answer(B, 0, [Nats(0)[0], 0.75]);
        Assert.Contains("scored the same text differently", _coordinator.Show().Failure, StringComparison.Ordinal);
        Assert.Empty(Orders(Step(new RunInput.Tick())));
    }

    [Fact]
    public void An_answer_that_fits_no_piece_or_another_version_counts_for_nothing()
    {
        Enlist(A);
        Ask(0, 2);
        Assert.Contains(Answer(A, 0, [1.0]), o => o is RunOutput.Notice);
        Assert.Contains("2 rows with 1 scores", _coordinator.Show().WaitsFor, StringComparison.Ordinal);
        Assert.Contains(Answer(A, 0, from: D("others")), o => o is RunOutput.Dropped);
        Assert.Contains(Step(new RunInput.Answered(Result(A, 0, new Copied(D("x"))))), o => o is RunOutput.Dropped);
        Assert.Contains(Answer(A, 9), o => o is RunOutput.Dropped);
        Assert.Empty(_coordinator.Show().Scores);
    }

    [Fact]
    public void The_arithmetic_is_chosen_anew_while_nothing_is_scored_and_never_after_that()
    {
        Enlist(A);
        Ask(0, 1);
        Step(new RunInput.Lost(A));
        Enlist(C, arithmetic: "cpu 1");
        Assert.Equal(("cpu 1", null, 1), (_coordinator.Show().Arithmetic, _coordinator.Show().WaitsFor, _coordinator.Show().Nodes));
        Enlist(A);                                                      // it was not lost after all
        Assert.Contains(Answer(A, 0), o => o is RunOutput.Dropped);
        Assert.Empty(_coordinator.Show().Scores);

        Answer(C, 0);
        Assert.Single(_coordinator.Show().Scores);
        Step(new RunInput.Lost(C));
        Ask(0, 2);
        Assert.Equal(
            ("cpu 1", "a node with a device and the arithmetic of the pieces that are scored (cpu 1)"),
            (_coordinator.Show().Arithmetic, _coordinator.Show().WaitsFor));
        Ask(1, 1);                                                      // the asker has it
        Assert.Equal("cpu 1", _coordinator.Show().Arithmetic);
    }

    [Fact]
    public void Work_that_fails_is_tried_elsewhere_and_what_nobody_can_do_ends_the_evaluation()
    {
        Enlist(A);
        Enlist(B);
        Ask(0, 1);
        Fail(A, 0, WorkFailure.Transient);
        _now += TimeSpan.FromSeconds(2);
        Assert.Equal([(0, B)], Orders(Step(new RunInput.Tick())));
        Assert.Equal([(0, A)], Orders(Fail(B, 0, WorkFailure.Permanent)));
        Fail(A, 0, WorkFailure.Permanent);
        Assert.Equal("no", _coordinator.Show().Failure);
    }

    [Fact]
    public void A_supervisor_that_takes_over_goes_on_from_what_the_asker_has_and_nodes_hold()
    {
        Enlist(A);
        Ask(3, 4, "cpu 2");
        Enlist(A, (3, 6), (5, 6), (9, 6));
        var held = _coordinator.Show();
        Assert.Equal((3, 1), (held.First, held.Nodes));
        Answer(A, 3);
        Answer(A, 5);
        Answer(A, 4);
        Assert.Equal([Nats(3), Nats(4), Nats(5)], _coordinator.Show().Scores.Select(s => s.Nats));
    }

    [Fact]
    public void It_says_what_it_waits_for_and_at_the_end_nodes_remove_what_they_have_of_it()
    {
        Ask(0, 1);
        Assert.Equal("a node with a device", _coordinator.Show().WaitsFor);
        Enlist(A);
        Step(new RunInput.Tick());
        Assert.Null(_coordinator.Show().WaitsFor);
        _now += TimeSpan.FromSeconds(11);
        Enlist(A, (0, 7));
        Assert.Contains("work of runs", _coordinator.Show().WaitsFor, StringComparison.Ordinal);
        Step(new RunInput.Reported(new NodeReport.RunUnopened(A, Job, "the disk is full")));
        Assert.Equal("a node that can score: the disk is full", _coordinator.Show().WaitsFor);
        Assert.Equal(new RunOutput.Send(A, new NodeCommand.DeleteRun(Job)), Assert.Single(_coordinator.End()));
    }

    [Fact]
    public void A_node_that_leaves_is_let_go_and_gets_no_more()
    {
        Enlist(A);
        Ask(0, 1);
        var report = Report(A) with { Leaving = true };
        Assert.Contains(
            Step(new RunInput.Reported(report)), o => o is RunOutput.Send { Message: NodeCommand.Release });
        _now += TimeSpan.FromSeconds(4);
        Assert.Empty(Orders(Step(new RunInput.Reported(report))));
        Assert.Contains("a node with a device", _coordinator.Show().WaitsFor, StringComparison.Ordinal);
    }

    private void Enlist(NodeId node, params (int Piece, long Term)[] works) => Step(new RunInput.Reported(Report(node, works)));

    private void Enlist(NodeId node, string arithmetic) =>
        Step(new RunInput.Reported(Report(node) with { Arithmetic = arithmetic }));

    private static NodeReport.Enlist Report(NodeId node, params (int Piece, long Term)[] works) => new(node)
    {
        Devices = [new DeviceId("cpu:0")],
        Incarnation = "1",
        Address = $"{node}:4053",
        Endpoint = $"{node}:80",
        Seed = false,
        Version = "1",
        Arithmetic = "cpu 2",
        Works = HeldWorks.Of(works.Select(
            w => new HeldWork(Job.Job, new OrderId(w.Term, 1), ScoreRowsWork.KeyOf(w.Piece), D("parameters")))),
        Leaving = false,
    };

    private IReadOnlyList<RunOutput> Ask(int first, int pieces, string? arithmetic = null) => _coordinator.Ask(
        new EvaluationRequest.Score(Job)
        {
            Origin = new Origin("1", "a test", default),
            Settings = "settings",
            Corpus = D("corpus"),
            Manifest = D("manifest"),
            Parameters = D("parameters"),
            Source = "10.0.0.9:80",
            Arithmetic = arithmetic,
            First = first,
            Pieces = [.. Enumerable.Range(first, pieces).Select(p => D($"piece {p}"))],
            Rows = [.. Enumerable.Repeat(2, pieces)],
        },
        _now);

    private IReadOnlyList<RunOutput> Step(RunInput input) => _coordinator.Step(input, _now, Chance);

    private IReadOnlyList<RunOutput> Answer(NodeId node, int piece, double[]? nats = null, Digest? from = null) =>
        Step(new RunInput.Answered(Result(node, piece, new RowsScored(nats ?? Nats(piece)), from)));

    private IReadOnlyList<RunOutput> Fail(NodeId node, int piece, WorkFailure kind) =>
        Step(new RunInput.Answered(Result(node, piece, new WorkFailed("no", kind))));

    private static WorkResult Result(NodeId node, int piece, WorkOutcome outcome, Digest? from = null) =>
        new(Job.Job, node, new OrderId(7, 1), ScoreRowsWork.KeyOf(piece), from ?? D("parameters"), outcome);

    private static IEnumerable<NodeId> Opened(IEnumerable<RunOutput> outputs) =>
        outputs.OfType<RunOutput.Send>().Where(s => s.Message is NodeCommand.OpenRun { Kind: JobKind.Evaluation }).Select(s => s.Node);

    private static IEnumerable<(int Piece, NodeId Node)> Orders(IEnumerable<RunOutput> outputs) =>
        outputs.OfType<RunOutput.Send>().Where(s => s.Message is WorkOrder).Select(s => (((WorkOrder)s.Message).Key.Index, s.Node));

    private static double[] Nats(int piece) => [piece + 0.25, piece + 0.5];

    private static Digest D(string text) => Digest.Of(System.Text.Encoding.UTF8.GetBytes(text));
}
