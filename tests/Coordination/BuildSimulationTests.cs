using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Work;

namespace Elastic.Coordination.Tests;

/// <summary>The build of a corpus in a <see cref="PiecesWorld"/>, whose asker fetches what a node has read from that node.</summary>
public sealed class BuildSimulationTests
{
    private const int Pieces = 40, Seeds = 100;

    [Fact]
    public void The_asker_gets_each_piece_once_whatever_happens()
    {
        var reached = new HashSet<string>();
        for (var seed = 0; seed < Seeds; seed++)
        {
            var world = new World(seed, reached);
            world.Run();
            Assert.True(world.Taken.Count == Pieces, $"seed {seed}: {world.Taken.Count} of {Pieces} pieces have come: {world.Last}");
            Assert.Equal(Enumerable.Range(0, Pieces), world.Taken.Order());
        }
        Assert.Superset(new HashSet<string>(PiecesWorld.All) { "what a node has read is gone", "a piece has come" }, reached);
    }

    private static Digest D(string text) => Digest.Of(System.Text.Encoding.UTF8.GetBytes(text));

    private static PieceRead ReadOf(int piece) => new(D($"pack {piece}"));

    private sealed class World(int seed, HashSet<string> reached) : PiecesWorld(seed, reached)
    {
        private static readonly RunId Job = new("build-3k9v2mq7");

        private readonly HashSet<(string Node, int Piece)> _kept = [];
        private readonly HashSet<int> _lost = [];
        private long _number;

        public List<int> Taken { get; } = [];

        public BuildView? Last { get; private set; }

        protected override bool IsOver => Taken.Count == Pieces;

        protected override PiecesCoordinator Supervise(long term) => new BuildCoordinator(Job, term, ReadPieceWork.Kind);

        protected override void Ask()
        {
            int[] wanted = [.. Enumerable.Range(0, Pieces).Except(Taken).Take(12)];
            var request = new BuildRequest.Do(Job)
            {
                Origin = new Origin("1", "a test", default),
                Work = ReadPieceWork.Kind.Name,
                Number = ++_number,
                Manifest = D("manifest"),
                Source = "10.0.0.9:80",
                Wanted = wanted,
                Pieces = [.. wanted.Select(p => D($"{p}"))],
                Lost = [.. _lost],
            };
            _lost.Clear();
            Carry(Supervisor.Ask(request, Now));
            Last = (BuildView)Supervisor.Show();
            Assert.Subset(wanted.ToHashSet(), Last.Pieces.Select(p => p.Number).ToHashSet());
            // One fetch at a time; the others stay wanted.
            foreach (var seen in Last.Pieces.Take(1))
            {
                Assert.Null(seen.Failure);
                Assert.Equal(ReadOf(seen.Number), new PieceRead(seen.Pack!.Value));
                if (_kept.Contains((seen.Source!, seen.Number)))
                {
                    Reached.Add("a piece has come");
                    Taken.Add(seen.Number);
                    continue;
                }
                Reached.Add("what a node has read is gone");
                _lost.Add(seen.Number);
            }
        }

        protected override WorkOutcome Do(WorkOrder order, NodeId node)
        {
            _kept.Add(($"{node}:80", order.Key.Index));
            return ReadOf(order.Key.Index);
        }

        protected override void Died(NodeId node) => _kept.RemoveWhere(k => k.Node == $"{node}:80");
    }
}
