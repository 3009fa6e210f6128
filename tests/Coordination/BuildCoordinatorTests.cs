using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination.Tests;

public sealed class BuildCoordinatorTests
{
    private static readonly RunId Job = new("build-3k9v2mq7");
    private static readonly NodeId A = new("a"), B = new("b");
    private static readonly Random Chance = new(1);

    private BuildCoordinator _coordinator = new(Job, 7, ReadPieceWork.Kind);
    private TimeSpan _now = TimeSpan.FromSeconds(1);
    private long _number;

    [Fact]
    public void Pieces_go_to_the_cores_of_all_nodes_with_or_without_devices_after_the_job_was_opened_there()
    {
        Enlist(A, cores: 2);
        Enlist(B, cores: 1);
        var outputs = Ask([3, 5, 6, 7, 8, 9]);
        Assert.Equal([A, B], Opened(outputs));
        Assert.Equal([(3, A), (5, B), (6, A), (7, A), (8, B)], Orders(outputs));        // each one more than it has cores
        var order = outputs.OfType<RunOutput.Send>().Select(s => s.Message).OfType<WorkOrder>().First();
        Assert.Equal(
            (Job.Job, new WorkKey("read-piece", 0, 3), D("manifest"), "10.0.0.9:80"),
            (order.Job, order.Key, order.From!.Value, Assert.Single(order.Sources)));
        Assert.Equal(new ReadPiece(D("piece 3"), 3, 3), order.Content);
        Assert.Equal([(9, A)], Orders(Answer(A, 6)));
    }

    [Fact]
    public void What_was_read_is_shown_until_the_asker_has_it()
    {
        Enlist(A);
        Ask([0, 1]);
        Answer(A, 1);
        var seen = Assert.Single(_coordinator.Show().Pieces);
        Assert.Equal((1, D("pack 1"), "a:80", null), (seen.Number, seen.Pack, seen.Source, seen.Failure));
        Ask([0]);
        Assert.Empty(_coordinator.Show().Pieces);
        Assert.Empty(Orders(Step(new RunInput.Tick())));
    }

    [Fact]
    public void A_request_that_was_overtaken_says_nothing()
    {
        Enlist(A);
        var late = Request([0]);
        Ask([1]);
        Assert.Empty(_coordinator.Ask(late, _now));
        Answer(A, 1);
        Assert.Equal(1, Assert.Single(_coordinator.Show().Pieces).Number);
        Assert.Empty(_coordinator.Ask(Request([2, 2]), _now));
        Assert.Empty(_coordinator.Ask(Request([2]) with { Pieces = [] }, _now));
    }

    [Fact]
    public void What_could_not_be_fetched_is_read_again_and_so_is_what_went_with_its_node()
    {
        Enlist(A);
        Ask([0, 1]);
        Answer(A, 0);
        Answer(A, 1);
        var asked = Request([0, 1]) with { Lost = [1] };
        Assert.Equal([(1, A)], Orders(_coordinator.Ask(asked, _now)));
        Answer(A, 1);
        Assert.Empty(Orders(_coordinator.Ask(asked, _now)));             // the same request once more
        Assert.Equal(2, _coordinator.Show().Pieces.Length);
        Enlist(B);
        Assert.Equal([(0, B), (1, B)], Orders(Step(new RunInput.Lost(A))));
        Assert.Empty(_coordinator.Show().Pieces);
    }

    [Fact]
    public void What_a_node_answers_that_was_lost_counts_once_it_is_back_and_says_it_again()
    {
        Enlist(A);
        Ask([0]);
        Step(new RunInput.Lost(A));
        var late = Answer(A, 0);
        Assert.Contains(late, o => o is RunOutput.Dropped);
        Assert.DoesNotContain(late, o => o is RunOutput.Send);           // the node keeps it
        Assert.Equal([(0, B)], Orders(Enlist(B)));
        Enlist(A);
        Answer(A, 0);
        Assert.Equal("a:80", Assert.Single(_coordinator.Show().Pieces).Source);
    }

    [Fact]
    public void A_piece_that_no_node_can_read_is_the_asker_s_and_the_others_go_on()
    {
        Enlist(A);
        Enlist(B);
        Ask([0, 1]);
        Fail(A, 0, WorkFailure.Permanent, new string('x', 1000));
        var seen = Assert.Single(_coordinator.Show().Pieces);
        Assert.Equal((0, null, new string('x', BuildView.MostReason)), (seen.Number, seen.Pack, seen.Failure));
        for (var attempt = 0; attempt < 4; attempt++)
        {
            Assert.Single(_coordinator.Show().Pieces);
            Fail(attempt % 2 == 0 ? B : A, 1, WorkFailure.Transient, "no");
        }
        Assert.Equal([(0, true), (1, true)], _coordinator.Show().Pieces.Select(p => (p.Number, p.Failure is not null)));
    }

    [Fact]
    public void A_node_that_cannot_open_the_build_rests_and_its_reason_is_shown()
    {
        Ask([0]);
        Assert.Equal("a node", _coordinator.Show().WaitsFor);
        Enlist(A);
        Step(new RunInput.Reported(new NodeReport.RunUnopened(A, Job, "its disk is full")));
        Assert.Equal("a node that can do pieces: its disk is full", _coordinator.Show().WaitsFor);
        Assert.Equal([(0, B)], Orders(Enlist(B)));
        Assert.Null(_coordinator.Show().WaitsFor);
        Assert.Equal(
            [new NodeCommand.DeleteRun(Job), new NodeCommand.DeleteRun(Job)],
            _coordinator.End().Select(o => Assert.IsType<RunOutput.Send>(o).Message));
    }

    [Fact]
    public void An_answer_of_another_manifest_or_kind_counts_for_nothing()
    {
        Enlist(A);
        Ask([0]);
        Assert.Contains(Answer(A, 0, D("others")), o => o is RunOutput.Dropped);
        Assert.Contains(
            Step(new RunInput.Answered(Result(A, 0, new Copied(D("x"))))), o => o is RunOutput.Dropped);
        Assert.Contains(Answer(A, 9), o => o is RunOutput.Dropped);
        Assert.Empty(_coordinator.Show().Pieces);
    }

    [Fact]
    public void Tokens_are_made_by_a_job_of_their_own_kind_and_what_was_read_is_no_answer_to_it()
    {
        _coordinator = new BuildCoordinator(Job, 7, TokenizePieceWork.Kind);
        var outputs = Enlist(A).Concat(Ask([0, 2])).ToList();
        Assert.Equal(
            JobKind.Tokens,
            Assert.Single(outputs.OfType<RunOutput.Send>().Select(s => s.Message).OfType<NodeCommand.OpenRun>()).Kind);
        var order = outputs.OfType<RunOutput.Send>().Select(s => s.Message).OfType<WorkOrder>().First();
        Assert.Equal((new WorkKey("tokenize-piece", 0, 0), new TokenizePiece(D("piece 0"), 0, 0)), (order.Key, order.Content));
        Assert.Contains(Answer(A, 0), o => o is RunOutput.Dropped);
        Step(new RunInput.Answered(Result(A, 2, new PieceTokenized(D("tokens 2"))) with { Key = TokenizePieceWork.Kind.KeyOf(2) }));
        Assert.Equal((2, D("tokens 2")), _coordinator.Show().Pieces.Select(p => (p.Number, p.Pack!.Value)).Single());
    }

    private IReadOnlyList<RunOutput> Enlist(NodeId node, int cores = 1) => Step(new RunInput.Reported(new NodeReport.Enlist(node)
    {
        Devices = [],
        Incarnation = "1",
        Address = $"{node}:4053",
        Endpoint = $"{node}:80",
        Seed = false,
        Version = "1",
        Arithmetic = "",
        Works = [],
        Leaving = false,
        Cores = cores,
    }));

    private BuildRequest.Do Request(int[] wanted) => new(Job)
    {
        Origin = new Origin("1", "a test", default),
        Work = ReadPieceWork.Kind.Name,
        Number = ++_number,
        Manifest = D("manifest"),
        Source = "10.0.0.9:80",
        Wanted = wanted,
        Pieces = [.. wanted.Select(p => D($"piece {p}"))],
        Lost = [],
    };

    private IReadOnlyList<RunOutput> Ask(int[] wanted) => _coordinator.Ask(Request(wanted), _now);

    private IReadOnlyList<RunOutput> Step(RunInput input) => _coordinator.Step(input, _now, Chance);

    private IReadOnlyList<RunOutput> Answer(NodeId node, int piece, Digest? from = null) =>
        Step(new RunInput.Answered(Result(node, piece, new PieceRead(D($"pack {piece}")), from)));

    private void Fail(NodeId node, int piece, WorkFailure kind, string why) =>
        Step(new RunInput.Answered(Result(node, piece, new WorkFailed(why, kind))));

    private static WorkResult Result(NodeId node, int piece, WorkOutcome outcome, Digest? from = null) =>
        new(Job.Job, node, new OrderId(7, 1), ReadPieceWork.Kind.KeyOf(piece), from ?? D("manifest"), outcome);

    private static IEnumerable<NodeId> Opened(IEnumerable<RunOutput> outputs) =>
        outputs.OfType<RunOutput.Send>().Where(s => s.Message is NodeCommand.OpenRun { Kind: JobKind.Build }).Select(s => s.Node);

    private static IEnumerable<(int Piece, NodeId Node)> Orders(IEnumerable<RunOutput> outputs) =>
        outputs.OfType<RunOutput.Send>().Where(s => s.Message is WorkOrder).Select(s => (((WorkOrder)s.Message).Key.Index, s.Node));

    private static Digest D(string text) => Digest.Of(System.Text.Encoding.UTF8.GetBytes(text));
}
