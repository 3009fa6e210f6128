using System.Diagnostics;
using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Work;
using Elastic.Simulation;

namespace Elastic.Bench.Elasticity.Control;

/// <summary>
/// The processor time that the coordinator of one run takes while its replicas compute: a heartbeat of each node every second, steps as
/// replicas report them, two ticks a second. No actors, no network, no database.
/// </summary>
internal sealed class SupervisorLoad(Options options)
{
    private const int Seconds = 20;

    public void Run()
    {
        foreach (var size in options.Text("sizes", "400x400,400x1000").Split(','))
        {
            var parts = size.Split('x');
            var (replicas, nodes) = (int.Parse(parts[0]), int.Parse(parts[1]));
            Console.WriteLine($"{replicas} replicas on {nodes} nodes: {Measure(replicas, nodes):F3} CPU-seconds a second (aim: < 0.2)");
        }
    }

    private static double Measure(int replicas, int nodes)
    {
        var plan = VirtualRun.PlanOf(replicas, rounds: 4, chunks: 30);
        var coordinator = new RunCoordinator(VirtualRun.Id, _ => plan, new CoordinatorSettings(true, TimeSpan.FromSeconds(15)));
        var (now, chance, held) = (TimeSpan.Zero, new Random(1), new Dictionary<NodeId, List<HeldWork>>());
        Step(new RunInput.Recovered());
        Step(new RunInput.TermBegun(1, 1));
        Step(new RunInput.Asked(VirtualRun.Begin(), null));
        List<NodeId> all = [.. Enumerable.Range(0, nodes).Select(i => new NodeId($"node-{i:D4}"))];
        all.ForEach(Beat);
        // Version 0, as every node that was asked for it makes it.
        foreach (var (node, works) in held.ToList())
            foreach (var work in works.Where(w => w.Key == InitializeWork.Key).ToList())
                Step(new RunInput.Answered(new WorkResult(
                    VirtualRun.Id.Job, node, work.Order, work.Key, null,
                    new Initialized(VirtualArithmetic.First, VirtualRun.D("fingerprint")))));
        all.ForEach(Beat);
        if (coordinator.View.InFlight.Count < replicas / 2)
            throw new InvalidOperationException($"only {coordinator.View.InFlight.Count} of {replicas} replicas compute");

        var before = Process.GetCurrentProcess().TotalProcessorTime;
        for (var second = 1; second <= Seconds; second++)
        {
            for (var i = 0; i < nodes; i++)
            {
                now += TimeSpan.FromSeconds(1.0 / nodes);
                Beat(all[i]);
                foreach (var work in held.GetValueOrDefault(all[i], []).Where(w => w.Key.Kind == ComputeWork.Kind.Name))
                    Step(new RunInput.Reported(
                        new NodeReport.StepTaken(all[i], VirtualRun.Id, work.Key.Number, work.Key.Index, second, 1, 1e-3)));
                if (i % (nodes / 2) == 0)
                    Step(new RunInput.Tick());
            }
        }

        return (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds / Seconds;

        void Beat(NodeId node) => Step(new RunInput.Reported(new NodeReport.Enlist(node)
        {
            Devices = [new DeviceId("cpu:0")],
            Incarnation = "1",
            Address = $"{node}:4053",
            Endpoint = $"{node}:4054",
            Seed = false,
            Version = "1",
            Arithmetic = VirtualRun.Arithmetic,
            Works = HeldWorks.Of(held.GetValueOrDefault(node, [])),
            Leaving = false,
        }));

        // Nodes take every order at once, hold everything that they are asked for, and finish nothing.
        void Step(RunInput input)
        {
            foreach (var output in coordinator.Step(input, now, chance).OfType<RunOutput.Send>())
            {
                if (output.Message is WorkOrder order)
                    (held.TryGetValue(output.Node, out var works) ? works : held[output.Node] = [])
                        .Add(new HeldWork(order.Job, order.Id, order.Key, order.From));
                else if (output.Message is NodeCommand.DropWork drop && held.TryGetValue(output.Node, out var had))
                    had.RemoveAll(w => drop.Works.Contains(w.Key));
                else if (output.Message is NodeCommand.Survey survey)
                    Step(new RunInput.Reported(new NodeReport.Surveyed(
                        output.Node, VirtualRun.Id, survey.Number, survey.Sets, survey.Sets, survey.Part)));
            }
        }
    }
}
