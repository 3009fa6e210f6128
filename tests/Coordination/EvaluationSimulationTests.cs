using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination.Tests;

/// <summary>An evaluation in a <see cref="PiecesWorld"/>: whatever happens, the asker gets all scores, in order.</summary>
public sealed class EvaluationSimulationTests
{
    private const int Pieces = 40, Seeds = 300;

    [Fact]
    public void The_asker_gets_all_scores_in_order_whatever_happens()
    {
        var reached = new HashSet<string>();
        for (var seed = 0; seed < Seeds; seed++)
        {
            var world = new World(seed, reached);
            world.Run();
            Assert.True(world.Taken.Count == Pieces, $"seed {seed}: {world.Taken.Count} of {Pieces} pieces were scored: {world.Last}");
            Assert.Equal(Enumerable.Range(0, Pieces).Select(NatsOf), world.Taken);
        }
        Assert.Superset(PiecesWorld.All, reached);
    }

    private static double NatsOf(int piece) => piece + 0.125;

    private static Digest D(string text) => Digest.Of(System.Text.Encoding.UTF8.GetBytes(text));

    private sealed class World(int seed, HashSet<string> reached) : PiecesWorld(seed, reached)
    {
        private static readonly RunId Job = new("eval-tiny-3k9v2mq7");

        public List<double> Taken { get; } = [];

        public EvaluationView? Last { get; private set; }

        protected override bool IsOver => Taken.Count == Pieces;

        protected override PiecesCoordinator Supervise(long term) => new EvaluationCoordinator(Job, term);

        protected override void Ask()
        {
            var ahead = Math.Min(12, Pieces - Taken.Count);
            var request = new EvaluationRequest.Score(Job)
            {
                Origin = new Origin("1", "a test", default),
                Settings = "settings",
                Corpus = D("corpus"),
                Manifest = D("manifest"),
                Parameters = D("parameters"),
                Source = "10.0.0.9:80",
                Arithmetic = Last?.Arithmetic,
                First = Taken.Count,
                Pieces = [.. Enumerable.Range(Taken.Count, ahead).Select(p => D($"{p}"))],
                Rows = [.. Enumerable.Repeat(1, ahead)],
            };
            Carry(Supervisor.Ask(request, Now));
            Last = (EvaluationView)Supervisor.Show();
            Assert.Null(Last.Failure);
            Assert.Equal(Taken.Count, Last.First);
            Taken.AddRange(Last.Scores.Select(s => Assert.Single(s.Nats)));
        }

        protected override WorkOutcome Do(WorkOrder order, NodeId node) => new RowsScored([NatsOf(order.Key.Index)]);
    }
}
