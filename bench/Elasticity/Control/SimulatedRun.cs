using System.Text;
using Elastic.Actors.Serialization;
using Elastic.Actors.Work;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Work;
using Elastic.Model.Networks;
using Elastic.Storage;

namespace Elastic.Bench.Elasticity.Control;

/// <summary>
/// The shipped coordinators and serializers, with nodes on which nothing is computed, on a clock that does not wait: what a run of any size
/// sends. In the last round but one the seed's node, which holds the most, begins anew and says what it still holds.
/// </summary>
/// <param name="compute">How long a node takes for a replica's round.</param>
internal sealed class SimulatedRun(
    TrainingSettings settings, int nodes, int devices, TimeSpan compute, ElasticSerializer serializer, MessageTally tally)
{
    // A replica tells of its steps this often at most; nodes answer everything else at the next tick.
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(200), Heartbeat = TimeSpan.FromSeconds(1);

    private readonly RunId _id = new($"{settings.Run.Name}-00000000");
    private readonly Dictionary<NodeId, SimulatedNode> _nodes = [];
    private readonly string[] _endpoints = [.. Enumerable.Range(0, nodes + 1).Select(i => $"10.0.{i / 250}.{1 + i % 250}:40{i % 100:D2}")];
    private readonly Random _chance = new(1);
    private readonly Queue<RunInput> _inputs = [];
    private TimeSpan _now;
    private long _term;

    /// <summary>Runs to the end. The tally has the rounds after the first.</summary>
    /// <returns>Rounds that were counted.</returns>
    public int Run()
    {
        var coordinator = new RunCoordinator(_id, RunPlan.Of, new CoordinatorSettings(GoesOn: true, TimeSpan.FromSeconds(15)));
        var elements = Architectures.LayoutOf(settings.Model).Length;
        var tokens = (long)settings.Run.InnerSteps * settings.Batch.Sequences * settings.Model.Context;
        for (var i = 0; i <= nodes; i++)
        {
            var node = new SimulatedNode(_id, new NodeId($"node{i}-00000000"), _endpoints[i], i == 0 ? 0 : devices,
                tokens, elements, compute, ReplicaRound.BetweenNews(settings.Run.Replicas));
            _nodes.Add(node.Id, node);
            node.Begin();
        }

        Step(coordinator, new RunInput.Recovered());
        Step(coordinator, new RunInput.Asked(Start(elements), null));
        var hasBegunAnew = false;
        while (!coordinator.Run.IsFinished)
        {
            _now += Tick;
            if (coordinator.Run.Round == 0)
                tally.Clear();
            Step(coordinator, new RunInput.Tick());
            if (!hasBegunAnew && coordinator.Run.Round == settings.Run.Rounds - 2
                && coordinator.View.InFlight.Keys.Any(w => w.Work.Kind == ComputeWork.Kind.Name))
            {
                hasBegunAnew = true;
                _nodes.Values.First().Begin();
            }

            foreach (var node in _nodes.Values)
            {
                if (_now.Ticks % Heartbeat.Ticks == 0)
                    node.Beat();
                node.Advance(_now);
                foreach (var message in node.TakeOutbox())
                    Step(coordinator, InputOf(message));
            }
        }

        return settings.Run.Rounds!.Value - 1;
    }

    /// <summary>Stands for some bytes.</summary>
    public static Digest D(string text) => Digest.Of(Encoding.UTF8.GetBytes(text));

    private RunRequest.Start Start(long elements) => new(
        new RunName(settings.Run.Name), new Origin("bench", "bench", DateTimeOffset.UnixEpoch))
    {
        Settings = SettingsText.Write(settings),
        Elements = elements,
        Corpus = D("corpus"),
        Manifest = D("manifest"),
        Blocks = 1_000_000,
        HeldOutBlocks = 1000,
        Arithmetic = "",
    };

    private RunInput InputOf(IWireMessage message)
    {
        Count(message);
        if (message is NodeReport.Enlist)
            Count(new NodeNews.Welcome(_endpoints[0]));
        return message switch
        {
            WorkResult result => new RunInput.Answered(result),
            NodeReport report => new RunInput.Reported(report),
            _ => throw new InvalidOperationException($"not for a supervisor: {message}"),
        };
    }

    // And what the fence answers.
    private void Step(RunCoordinator coordinator, RunInput input)
    {
        _inputs.Enqueue(input);
        while (_inputs.TryDequeue(out var next))
            foreach (var output in coordinator.Step(next, _now, _chance))
                Carry(output);
        if (coordinator.Failure is { } failure)
            throw new InvalidOperationException(failure);
    }

    private void Carry(RunOutput output)
    {
        switch (output)
        {
            case RunOutput.Store store:
                foreach (var e in store.Events)
                    tally.Note(e, EventCodec.Default.Write(e).Length);
                break;
            case RunOutput.Send send:
                Count(send.Message);
                _nodes[send.Node].Take(send.Message, _now);
                break;
            case RunOutput.BeginTerm begin:
                _inputs.Enqueue(new RunInput.TermBegun(begin.Asking, ++_term));
                break;
            case RunOutput.AskFence ask:
                _inputs.Enqueue(new RunInput.Fenced(ask.Commit, true));
                break;
            case RunOutput.Reply { Answer: RunReply.Refused refused }:
                throw new InvalidOperationException(refused.Why);
        }
    }

    private void Count(IWireMessage message) => tally.Note(message, serializer.ToBinary(message).Length);
}
