using System.Text;
using Elastic.Actors.Nodes.Replicas;
using Elastic.Actors.Serialization;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;

namespace Elastic.Bench.Elasticity.Control;

/// <summary>
/// The supervisor's real decisions and the real serializer, with nodes that only say what nodes say, on a clock that does not wait: what a
/// run of any size sends. Nothing is computed. In the last round but one the seed's node, which holds the most, begins anew and says what it
/// still holds.
/// </summary>
/// <param name="compute">How long a node takes for a replica's round.</param>
internal sealed class SimulatedRun(TrainingSettings settings, int nodes, int devices, TimeSpan compute, ElasticSerializer serializer, MessageTally tally)
{
    // A replica tells of its steps this often at most; nodes answer everything else at the next tick.
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(200), Heartbeat = TimeSpan.FromSeconds(1);

    private readonly RunCoordinator _desk = new(new RunId(settings.Run.Name), RunPlan.Of, TimeSpan.FromSeconds(15));
    private readonly Dictionary<NodeId, SimulatedNode> _nodes = [];
    private readonly string[] _endpoints = [.. Enumerable.Range(0, nodes + 1).Select(i => $"10.0.{i / 250}.{1 + i % 250}:40{i % 100:D2}")];
    private TimeSpan _now;
    private bool _begunAnew;

    /// <summary>Runs to the end. The tally has the rounds after the first.</summary>
    /// <returns>Rounds that were counted.</returns>
    public int Run()
    {
        var tokens = (long)settings.Run.InnerSteps * settings.Batch.Sequences * settings.Model.Context;
        var elements = Architectures.LayoutOf(settings.Model).Length;
        for (var i = 0; i <= nodes; i++)
        {
            var id = new NodeId(_endpoints[i].Replace(":40", ":50", StringComparison.Ordinal));
            var node = new SimulatedNode(_desk.Run.Id, id, _endpoints[i], i == 0 ? 0 : devices, tokens, elements, compute, ReplicaRun.BetweenNews(settings.Run.Replicas));
            _nodes.Add(node.Id, node);
        }

        _desk.Recovered(true);
        Handle(new RunCommand.Start(_desk.Run.Id, SettingsText.Write(settings), Architectures.LayoutOf(settings.Model).Length, D("corpus"), 1_000_000, 1000, "", D("manifest")));
        while (!_desk.Run.IsFinished)
        {
            _now += Tick;
            if (_desk.Run.Round == 0)
                tally.Clear();
            _desk.At(_now);
            _desk.Tick();
            Carry();
            if (!_begunAnew && _desk.Run.Round == settings.Run.Rounds - 2 && _desk.ClusterView.InFlight.Keys.Any(w => w.Work.Kind == WorkKind.Replica))
            {
                _begunAnew = true;
                _nodes.Values.First().BeginAnew();
            }

            foreach (var node in _nodes.Values)
            {
                if (_now.Ticks % Heartbeat.Ticks == 0)
                    Beat(node);
                foreach (var message in node.Advance(_now))
                    Receive(message);
            }
        }

        return settings.Run.Rounds!.Value - 1;
    }

    /// <summary>Stands for some bytes.</summary>
    public static Digest D(string text) => Digest.Of(Encoding.UTF8.GetBytes(text));

    private void Beat(SimulatedNode node)
    {
        var report = node.Enlist();
        Count(report);
        if (!_desk.Enlist(report))
            Count(new NodeNews.Welcome(_endpoints[0], _endpoints));
        Carry();
    }

    private void Receive(IWireMessage message)
    {
        Count(message);
        switch (message)
        {
            case RunCommand command:
                Count(new RunReply.Accepted(command.RunId));
                Handle(command);
                break;
            case NodeReport.VersionHeld held:
                _desk.Hold(held);
                break;
            case NodeReport.SetHeld held:
                _desk.Hold(held);
                break;
            case NodeReport.Surveyed surveyed:
                _desk.Hold(surveyed);
                break;
        }

        Carry();
    }

    private void Handle(RunCommand command)
    {
        var decision = _desk.Decide(command);
        if (decision.Refusal is { } why)
            throw new InvalidOperationException($"refused {command}: {why}");
        foreach (var e in decision.Events)
        {
            Count(e);
            _desk.Fold(e);
        }

        _desk.Settle(command, decision);
        Carry();
    }

    private void Carry()
    {
        foreach (var (node, command) in _desk.TakeOutbox())
        {
            Count(command);
            _nodes[node].Take(command, _now);
        }

        while (_desk.TakeOwn() is { } own)
            Handle(own);
        if (_desk.Failure is { } failure)
            throw new InvalidOperationException(failure);
    }

    private void Count(object message) => tally.Note(message, serializer.ToBinary(message).Length);
}
