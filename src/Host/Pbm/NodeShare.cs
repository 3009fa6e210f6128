using Elastic.Coordination;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Settings;
using Elastic.Model.Training;

namespace Elastic.Host.Pbm;

/// <summary>What a node would do for a run that is alone in the cluster: the first round as the scheduler would give it out.</summary>
/// <param name="Plan">Null for devices whose memory is libtorch's to allocate.</param>
/// <param name="Replicas">Replicas that the node computes at once, or that it computes a stage of.</param>
/// <param name="Problem">Why it has no room for them; null where it has, or does not say how much memory is free.</param>
/// <param name="Bytes">Bytes of memory that the node takes for them; null where that is not known.</param>
internal sealed record NodeShare(NodeView Node, int Replicas, TrainingPlan? Plan, string? Problem, double? Bytes)
{
    /// <summary>The nodes that would compute, by address.</summary>
    /// <param name="arithmetic">Arithmetic of the run; empty for a run that takes that of most devices.</param>
    public static IReadOnlyList<NodeShare> Of(TrainingSettings settings, string arithmetic, IEnumerable<NodeView> nodes)
    {
        var able = nodes.Where(n => n.State == "up" && n.Devices.Length > 0).ToList();
        arithmetic = arithmetic.Length > 0 ? arithmetic : MostCommon(able);
        able.RemoveAll(n => n.Arithmetic != arithmetic);
        var view = able.Aggregate(
            ClusterView.Empty, (v, n) => v.Enlist(n.Node, n.Devices.Select(d => new DeviceId(d)), n.Seed));
        var wanted = Enumerable.Range(0, settings.Run.Replicas).Select(r => new Wanted(r, new HashSet<NodeId>(), true)).ToList();
        var run = RunState.Empty(RunId.Draw(new RunName(settings.Run.Name), new byte[Identifier.DrawnBytes]));
        var stages = settings.Run.Stages;
        var replicas = Computations.Place(run, view, wanted, (_, _) => 0, stages).SelectMany(p => p.Nodes).CountBy(n => n).ToDictionary();
        StagePlan? staged = null;
        var plans = new Dictionary<(int Replicas, int Devices, ReplicaSharing Sharing), TrainingPlan>();
        return
        [
            .. able.Where(n => replicas.ContainsKey(n.Node)).OrderBy(n => n.Address, StringComparer.Ordinal)
                .Select(n => ShareOf(n, replicas[n.Node])),
        ];

        NodeShare ShareOf(NodeView node, int count)
        {
            if (!new DeviceId(node.Devices[0]).IsCpu)
                return new NodeShare(node, count, null, null, null);
            var (sharing, key) = (node.Sharing, (count, node.Devices.Length, node.Sharing));
            if (!plans.TryGetValue(key, out var plan))
            {
                plan = TrainingPlan.OfAll(
                    settings with { Run = settings.Run with { Replicas = count } }, node.Devices.Length, Math.Max(1, sharing.Threads),
                    sharing.Zero, sharing.Offload, ReplicaSplit.Parse(sharing.Split));
                plans[key] = plan;
            }
            double? free = node.FreeMemoryBytes > 0 ? node.FreeMemoryBytes : null;
            if (stages == 1)
                return new NodeShare(node, count, plan, free is { } bytes ? plan.Problem(bytes) : null, plan.Memory.Bytes);
            staged ??= StagePlan.Of(settings, stages, threads: 1);
            return new NodeShare(node, count, plan, free is { } of ? staged.Problem(of / count) : null, count * staged.MostBytes);
        }
    }

    // As a run takes it when its first nodes are there.
    private static string MostCommon(IEnumerable<NodeView> nodes) => nodes.GroupBy(n => n.Arithmetic, StringComparer.Ordinal)
        .OrderByDescending(g => g.Sum(n => n.Devices.Length)).ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key ?? "";
}
